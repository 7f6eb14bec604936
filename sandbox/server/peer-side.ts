/** The agent's side in a container of its own, asked over the connection that it dialled. */
import type { ClientHttp2Session } from 'node:http2';
import type { FileStat, OutputListing } from '../hands.ts';
import { askAlone } from '../http1-ask.ts';
import { ask, ConnectionLostError, type Question, textOf } from '../http2-ask.ts';
import { type AgentSide, AgentSideLostError } from './agent-side.ts';
import type { BashRun } from './bash.ts';
import type { CallResult } from './journal.ts';
import { type BashAnswer, type BashRequest, type Begin, MODIFIED_HEADER, type Note } from './peer-protocol.ts';
import type { ServerConfig } from './protocol.ts';
import { openShellDoor } from './shell-door.ts';
import { ToolProcessDiedError } from './tool-process.ts';

/** A container that the kubelet starts again is back after 1.2 s the first time. */
const BACK_MS = 15_000;
const BEGIN_MS = 10_000;
/** Of an answer of the agent's side: an image, a listing, a file that was read. */
const MAX_ANSWER_BYTES = 64 * 1024 ** 2;
const RESTARTED =
  'The shell of the sandbox was ended and started again: processes, working directory and variables of before are ' +
  'gone; the files are there.';

/**
 * @param port - on loopback, for the agent's side to dial.
 * @param fresh - whether this sandbox has taken no call yet.
 */
export function createPeerSide(port: number, config: ServerConfig, fresh: boolean): AgentSide {
  const shells = openShellDoor(port, async (session, nth) => {
    const { runDir, outputBytes, memoryBytes, pids, inodes, countIn } = config;
    const shellNote = nth === 1 && fresh ? config.shellNote : RESTARTED;
    const begin: Begin = { runDir, outputBytes, memoryBytes, pids, inodes, countIn, shellNote };
    const question = { method: 'PUT', path: '/begin', body: JSON.stringify(begin) };
    await answerText(session, { ...question, signal: AbortSignal.timeout(BEGIN_MS) });
  });
  const connection = () => shells.connection(BACK_MS);

  const json = async (question: Question): Promise<unknown> =>
    JSON.parse(await answerText(await connection(), question)) as unknown;
  /** For what is large. */
  const alone = async (question: Question) => await askAlone(await shells.another(BACK_MS), question);
  const get = async (path: string, query: Record<string, string>) =>
    await json({ method: 'GET', path: `${path}?${new URLSearchParams(query)}` });

  return {
    async ready() {
      await connection();
    },
    async tell(shellNote) {
      await json({ method: 'PUT', path: '/note', body: JSON.stringify({ shellNote } satisfies Note) });
    },
    bash: {
      restart(thread) {
        const path = `/restart?${new URLSearchParams({ thread })}`;
        // A shell that is gone has forgotten everything already.
        json({ method: 'POST', path }).catch(() => undefined);
      },
      async start(call) {
        const session = await connection();
        return startBash(session, call);
      },
    },
    tools: {
      async run(name, input, signal) {
        const body = JSON.stringify({ name, input });
        try {
          return (await json({ method: 'POST', path: '/tool', body, signal })) as CallResult;
        } catch (error) {
          throw new ToolProcessDiedError((error as Error).message);
        }
      },
      list: async (path) => (await get('/list', { path })) as FileStat[],
      locate: async (path) => (await get('/locate', { path })) as FileStat,
      outputs: async ({ fileBytes, files }) =>
        (await get('/outputs', { fileBytes: String(fileBytes), files: String(files) })) as OutputListing,
      warm: () => undefined,
    },
    files: {
      tar: async (skills) => (await alone({ method: 'GET', path: skills ? '/tar?skills' : '/tar' })).body,
      async untar(tar) {
        const { body } = await alone({ method: 'PUT', path: '/tar', body: tar });
        body.on('error', () => undefined).resume();
      },
      async read(path) {
        const question = { method: 'GET', path: `/file?${new URLSearchParams({ path })}` };
        const { body, headers } = await alone(question);
        return { body, modifiedAt: String(headers[MODIFIED_HEADER]) };
      },
    },
  };
}

function startBash(session: ClientHttp2Session, call: BashRequest): BashRun {
  const answered = answerText(session, { method: 'POST', path: '/bash', body: JSON.stringify(call) });
  const end = answered.then(
    (text) => {
      const answer = JSON.parse(text) as BashAnswer;
      if (answer.started) return answer.end;
      const said = `bash: no process could be started: ${answer.reason}`;
      return { text: said, dropped: 0, exitCode: 126, signal: null };
    },
    (error: unknown) => {
      const why = error instanceof ConnectionLostError ? 'it ended' : (error as Error).message;
      throw new AgentSideLostError(
        `The shell of the sandbox was lost while this command ran (${why}), so its result is lost; it may have had ` +
          'effects. Files are kept; processes and shell state are gone.',
      );
    },
  );
  return {
    end,
    stop() {
      const path = `/stop?${new URLSearchParams({ id: call.id })}`;
      answerText(session, { method: 'POST', path }).catch(() => undefined);
    },
  };
}

async function answerText(session: ClientHttp2Session, question: Question): Promise<string> {
  const { stream } = await ask(session, question);
  return await textOf(stream, MAX_ANSWER_BYTES);
}
