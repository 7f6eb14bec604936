/** Answers to what is not even HTTP enough to reach a route: the same error body as everywhere, then the end. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { RequestError } from '@hono/node-server';
import { type ApiDeps, makeId } from './context.ts';
import { ApiError, ensureApiError, errorBody, loggable } from './errors.ts';

/** Listener for `clientError` of a server. */
export function answerWireErrors(deps: ApiDeps): (error: NodeJS.ErrnoException, socket: Socket) => void {
  return function answerWireError(error, socket) {
    if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
    const { status, reason, problem } = wireError(error.code);
    const requestId = makeId(deps, 'req');
    deps.log.info({ request_id: requestId, status, code: error.code }, 'not a request');
    const body = JSON.stringify(errorBody(problem, requestId));
    const head = [
      `HTTP/1.1 ${status} ${reason}`,
      'content-type: application/json',
      `content-length: ${Buffer.byteLength(body)}`,
      `request-id: ${requestId}`,
      'connection: close',
    ];
    socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  };
}

/** For a Host header or a target that no URL can be made of: the routes are never asked. */
export function answerUnreadable(deps: ApiDeps): (error: unknown) => Response {
  return function answerUnreadable(error) {
    const known = error instanceof RequestError;
    if (!known) deps.log.error({ err: loggable(error) }, 'request failed before it reached a route');
    const problem = known
      ? new ApiError(400, 'invalid_request_error', `The request has no valid URL: ${error.message}.`)
      : ensureApiError(error);
    const requestId = makeId(deps, 'req');
    const headers = { 'request-id': requestId };
    return Response.json(errorBody(problem, requestId), { status: problem.status, headers });
  };
}

/** Listener for `checkExpectation`: the one expectation there is, `100-continue`, does not come here. */
export function answerExpectation(deps: ApiDeps) {
  return function answerExpectation(_request: IncomingMessage, response: ServerResponse): void {
    const requestId = makeId(deps, 'req');
    const problem = new ApiError(400, 'invalid_request_error', 'expect: only "100-continue" can be met.');
    const body = JSON.stringify(errorBody(problem, requestId));
    const length = Buffer.byteLength(body);
    const headers = { 'content-type': 'application/json', 'content-length': length, 'request-id': requestId };
    response.writeHead(417, { ...headers, connection: 'close' });
    response.end(body);
  };
}

function wireError(code: string | undefined): { status: number; reason: string; problem: ApiError } {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return {
        status: 431,
        reason: 'Request Header Fields Too Large',
        problem: new ApiError(400, 'invalid_request_error', 'The headers are over the limit of 32 KiB.'),
      };
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return {
        status: 408,
        reason: 'Request Timeout',
        problem: new ApiError(504, 'timeout_error', 'The request did not arrive in time; repeating it is safe.'),
      };
    default:
      return {
        status: 400,
        reason: 'Bad Request',
        problem: new ApiError(400, 'invalid_request_error', 'The request is not valid HTTP.'),
      };
  }
}
