/**
 * HTTP: which path is what, who may ask, and how an answer goes out. Plain `node:http`, because a rehearsal must also be
 * able to fail as networks do: cut a connection in the middle of an event.
 */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { MessageCreateParamsBase } from '@anthropic-ai/sdk/resources/messages';
import { checkRequest } from './check.ts';
import { ApiError, errorBody } from './errors.ts';
import { sendJson } from './json.ts';
import { describe, listModels, scriptFor } from './models.ts';
import { play } from './play.ts';
import type { RequestRecord, Stage } from './stage.ts';
import { inputTokens } from './tokens.ts';

const MAX_BODY = 32 * 1024 * 1024;

/** Answers one request; never rejects. */
export async function serve(stage: Stage, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const requestId = `req_rehearsal_${randomBytes(9).toString('hex')}`;
  response.setHeader('request-id', requestId);
  response.setHeader('x-rehearsal', 'answers come from a script, not from a model');
  try {
    await route(stage, request, response, requestId);
  } catch (thrown) {
    if (response.destroyed) return;
    const error = thrown instanceof ApiError ? thrown : new ApiError(500, `rehearsal: ${String(thrown)}`);
    if (response.headersSent) {
      response.destroy();
      return;
    }
    for (const [name, value] of Object.entries(error.headers)) response.setHeader(name, value);
    sendJson(response, error.status, errorBody(error.type, error.message, requestId, error.details));
  }
}

async function route(
  stage: Stage,
  request: IncomingMessage,
  response: ServerResponse,
  requestId: string,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://rehearsal');
  const endpoint = `${request.method ?? 'GET'} ${url.pathname}`;
  checkHeaders(request);
  if (endpoint === 'POST /v1/messages' || endpoint === 'POST /v1/messages/count_tokens') {
    const counts = endpoint.endsWith('count_tokens');
    const body = parseJson(await readBody(request));
    const asked = body as MessageCreateParamsBase;
    const record: RequestRecord = { endpoint, body: asked, headers: harmlessHeaders(request), at: Date.now() };
    stage.record(record);
    checkRequest(body, counts);
    if (counts) sendJson(response, 200, { input_tokens: inputTokens(asked) });
    else await play(stage, scriptFor(stage.scripts, asked.model), asked, response, requestId, record);
    return;
  }
  const [, model] = /^GET \/v1\/models\/([^/]+)$/.exec(endpoint) ?? [];
  if (model) {
    const id = decodeURIComponent(model);
    sendJson(response, 200, describe(id, scriptFor(stage.scripts, id)));
  } else if (endpoint === 'GET /v1/models') {
    const data = listModels(stage.scripts);
    sendJson(response, 200, { data, has_more: false, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null });
  } else
    throw new ApiError(404, `Not found: ${endpoint} (a rehearsal knows /v1/messages, count_tokens and /v1/models)`);
}

/** Any key will do; none will not. */
function checkHeaders({ headers }: IncomingMessage): void {
  const key = headers['x-api-key'] ?? headers.authorization?.replace(/^Bearer\s*/i, '');
  if (!key) throw new ApiError(401, 'x-api-key header is required');
  if (!headers['anthropic-version']) throw new ApiError(400, 'anthropic-version: header is required');
}

function harmlessHeaders({ headers }: IncomingMessage): Record<string, string> {
  const entries = Object.entries(headers).filter(([name]) => name !== 'x-api-key' && name !== 'authorization');
  return Object.fromEntries(entries.map(([name, value]) => [name, String(value)]));
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) throw new ApiError(413, 'Request exceeds the maximum allowed number of bytes.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ApiError(400, `The request body is not valid JSON: ${(error as Error).message}`);
  }
}
