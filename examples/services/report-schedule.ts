/**
 * The same as a Temporal Schedule: no process of one's own is left. Temporal starts Longhand's workflow `runSession` at
 * six each morning; its result, the agent's last message, stands in Temporal's UI.
 */
import { type Client, ScheduleAlreadyRunning, type ScheduleHandle, ScheduleOverlapPolicy } from '@temporalio/client';
import { LONGHAND_QUEUE, RUN_SESSION, type RunSession } from '../../client/index.ts'; // from 'longhand/client'

/** Makes the schedule; the one that is there when it has been made before. */
export async function scheduleReport(
  temporal: Client,
  report: { agent: string; environment: string },
): Promise<ScheduleHandle> {
  const scheduleId = 'morning-report';
  try {
    return await temporal.schedule.create<RunSession>({
      scheduleId,
      spec: { calendars: [{ hour: 6 }], timezone: 'Europe/Berlin' },
      policies: { overlap: ScheduleOverlapPolicy.SKIP },
      action: {
        type: 'startWorkflow',
        workflowType: RUN_SESSION,
        workflowId: scheduleId,
        taskQueue: LONGHAND_QUEUE,
        args: [
          {
            session: {
              agent: report.agent,
              environment_id: report.environment,
              initial_events: [
                { type: 'user.message', content: [{ type: 'text', text: 'Write the morning report.' }] },
              ],
            },
          },
        ],
      },
    });
  } catch (error) {
    if (error instanceof ScheduleAlreadyRunning) return temporal.schedule.getHandle(scheduleId);
    throw error;
  }
}
