/**
 * One question over a connection of its own, for answers and bodies that are large: Node sends HTTP/2 in frames of 16 KB,
 * and under gVisor each costs several system calls. Honest ends, as everywhere: what is cut off is an error.
 */
import { type IncomingHttpHeaders, type IncomingMessage, request as send } from 'node:http';
import { type Duplex, PassThrough, type Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { ConnectionLostError, type Question, RefusedError, wordsOf } from './http2-ask.ts';

export interface LargeAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  /** Ends with an error when the answer was cut off. To be read, or destroyed. */
  body: Readable;
}

/**
 * The connection ends with the answer.
 * @throws RefusedError for a status of 400 or more, ConnectionLostError when there is no whole answer.
 */
export async function askAlone(socket: Duplex, question: Question): Promise<LargeAnswer> {
  const { method, path, headers, body, signal } = question;
  const request = send({
    createConnection: () => socket,
    method,
    path,
    headers: { ...headers, connection: 'close' },
    signal,
  });
  request.setNoDelay(true);
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    const lost = (error?: Error) =>
      reject(new ConnectionLostError(error?.message ?? 'The connection to the sandbox ended.', { cause: error }));
    request.once('response', resolve);
    request.on('error', lost);
    request.once('close', () => lost());
  });
  answered.catch(() => undefined);
  if (typeof body === 'string' || body === undefined) request.end(body);
  else await sendBody(body, request, answered);
  const answer = await answered.catch((error: unknown) => {
    signal?.throwIfAborted();
    throw error;
  });
  const status = answer.statusCode ?? 0;
  if (status >= 400) throw new RefusedError(status, wordsOf(await textOf(answer)));
  return { status, headers: answer.headers, body: cutOffIsLost(answer) };
}

/** Reads at once, so that an end before anybody reads is not overlooked. */
function cutOffIsLost(answer: IncomingMessage): Readable {
  const body = new PassThrough({ highWaterMark: BUFFERED_BYTES });
  answer.on('error', () => undefined);
  answer.once('close', () => {
    if (!answer.complete) body.destroy(new ConnectionLostError('The answer of the sandbox was cut off.'));
  });
  body.once('close', () => answer.destroy());
  return answer.pipe(body);
}

/** The server may answer (and refuse) before it has read everything; its answer then says more than a broken pipe. */
async function sendBody(body: Readable, request: ReturnType<typeof send>, answered: Promise<unknown>): Promise<void> {
  // It may have failed while the connection was made.
  let broken = body.errored ?? (body.destroyed ? new Error('There is nothing to send any more.') : undefined);
  const fail = (error: Error) => {
    broken = error;
    request.destroy(error);
  };
  if (broken) {
    fail(broken);
  } else {
    body.once('error', fail);
    request.once('close', () => body.destroy());
    body.pipe(request);
    await Promise.race([finished(request), answered]).catch(() => undefined);
  }
  if (broken) throw broken;
}

const MAX_WORDS_BYTES = 64 * 1024;
const BUFFERED_BYTES = 1024 ** 2;

async function textOf(answer: IncomingMessage): Promise<string> {
  let text = '';
  answer.setEncoding('utf8');
  for await (const chunk of answer as AsyncIterable<string>) {
    text += chunk;
    if (text.length > MAX_WORDS_BYTES) break;
  }
  return text;
}
