/**
 * A cron job: `0 6 * * * node nightly-report.ts`. It starts today's session and ends; the session goes on by itself.
 * Run twice on one day, or again after a crash, it finds the session that is there: the key is the date.
 *
 * Needs AGENT_ID and ENVIRONMENT_ID, and Temporal's variables (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, …).
 */
import { connectLonghand } from '../../client/index.ts'; // in a project of your own: from 'longhand/client'

const today = new Date().toISOString().slice(0, 10);
const longhand = await connectLonghand();
try {
  const { id } = await longhand.startSession(
    {
      agent: process.env.AGENT_ID ?? '',
      environment_id: process.env.ENVIRONMENT_ID ?? '',
      title: `Report of ${today}`,
      initial_events: [{ type: 'user.message', content: [{ type: 'text', text: `Write the report of ${today}.` }] }],
    },
    { idempotencyKey: `nightly-report/${today}` },
  );
  console.log(id);
} finally {
  await longhand.close();
}
