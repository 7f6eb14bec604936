/** What another service does with the installed package: compiled and run by `package.test.ts`, in a project of its own. */
import { Client, Connection } from '@temporalio/client';
import { createSessionClient, type SessionClient, SessionClosedError } from 'longhand/client';

const [address = '', namespace = '', sessionId = ''] = process.argv.slice(2);
const connection = await Connection.connect({ address });
const sessions: SessionClient = createSessionClient(new Client({ connection, namespace }));
// @ts-expect-error: if the package's types were missing, this would be allowed.
const wrong: number = sessions.isOpen;
const open = await sessions.isOpen(sessionId);
const refused = await sessions.post('sesn_none', 'req_1', { op: 'sandbox' }).catch((error: unknown) => error);
console.log(JSON.stringify({ open, refused: refused instanceof SessionClosedError, wrong: typeof wrong }));
await connection.close();
