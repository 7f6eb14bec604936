/** One look into a session's sandbox, asked for by a person: beside the session, so that its history stays its log. */
import { proxyActivities } from '@temporalio/workflow';
import type { FilesInput, HandsActivities } from './contract.ts';

export async function files({ ref, handsQueue, path, want }: FilesInput) {
  const hands = proxyActivities<HandsActivities>({
    taskQueue: handsQueue,
    heartbeatTimeout: want === 'export' ? '10s' : undefined,
    startToCloseTimeout: '10m',
    scheduleToStartTimeout: '30s',
    retry: { maximumAttempts: 2 },
  });
  return want === 'list' ? await hands.listFiles({ ref, path }) : await hands.exportFile({ ref, path });
}
