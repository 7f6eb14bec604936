/** What another service does with the installed package: compiled and run by `package.test.ts`, in a project of its own. */
import { connectLonghand, type Longhand, SessionClosedError } from 'longhand/client';
import { LONGHAND_QUEUE, RUN_SESSION, type RunSession } from 'longhand/client/workflow';

const [sessionId = ''] = process.argv.slice(2);
const longhand = await connectLonghand();
const sessions: Longhand = longhand;
// @ts-expect-error: if the package's types were missing, this would be allowed.
const wrong: number = sessions.getSession;
// @ts-expect-error: as above, for workflows.
const input: Parameters<RunSession>[0] = 1;
const { status } = await longhand.getSession(sessionId);
const [first] = await longhand.getEvents(sessionId);
const refused = await longhand.emitEvent('sesn_none', { type: 'user.interrupt' }).catch((error: unknown) => error);
console.log(
  JSON.stringify({
    status,
    first: first?.event.type,
    refused: refused instanceof SessionClosedError,
    names: [typeof LONGHAND_QUEUE, typeof RUN_SESSION, typeof wrong, typeof input],
  }),
);
await longhand.close();
