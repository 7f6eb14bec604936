/** The model provider, and what its failures mean to a session. */
import Anthropic, { APIConnectionError, APIError } from '@anthropic-ai/sdk';
import type { FailureClass, SampleResult } from '../workflows/contract.ts';

export interface ModelSettings {
  baseUrl: string;
  apiKey: string;
  auth: 'x-api-key' | 'bearer';
  /** `anthropic-version` header; absent keeps the SDK's. */
  version?: string;
  headers?: Record<string, string>;
}

/** A client that reads nothing from the environment and never retries: the session does, visibly. */
export function createModelClient(settings: ModelSettings): Anthropic {
  return new Anthropic({
    baseURL: settings.baseUrl,
    apiKey: settings.auth === 'x-api-key' ? settings.apiKey : null,
    authToken: settings.auth === 'bearer' ? settings.apiKey : null,
    maxRetries: 0,
    timeout: 15 * 60_000,
    logLevel: 'off',
    defaultHeaders: {
      ...(settings.auth === 'x-api-key' ? { 'x-api-key': settings.apiKey, Authorization: null } : {}),
      ...(settings.version ? { 'anthropic-version': settings.version } : {}),
      ...settings.headers,
    },
  });
}

/** The stream of a reply broke, or was never a whole one: cut off, empty, or not JSON. */
export class BrokenStreamError extends Error {
  override name = 'BrokenStreamError';
}

type Failure = Extract<SampleResult, { ok: false }>;

/** @param error - what a model request threw. Returns undefined for what is not the provider's word. */
export function failureOf(error: unknown): Failure | undefined {
  if (error instanceof APIConnectionError) {
    return { ok: false, class: 'connection', message: `The model could not be reached: ${causeOf(error)}` };
  }
  if (error instanceof BrokenStreamError) {
    return { ok: false, class: 'connection', message: `The model’s reply broke off: ${error.message}` };
  }
  if (!(error instanceof APIError)) return undefined;
  const type = errorType(error.error);
  const retryAfterMs = retryAfter(error.headers);
  return {
    ok: false,
    class: classOf(error.status, type, error.message),
    message: `The model answered ${error.status ?? 'in the stream'}: ${providerMessage(error)}`.slice(0, 2_000),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

function classOf(status: number | undefined, type: string | undefined, message: string): FailureClass {
  if (
    /prompt is too long|context window|too many total text bytes|exceeds? context limit|maximum context length/i.test(
      message,
    )
  )
    return 'too_long';
  if (status === 402 || type === 'billing_error' || /credit balance/i.test(message)) return 'billing';
  if (status === 401 || status === 403 || type === 'authentication_error' || type === 'permission_error') {
    return 'authentication';
  }
  if (status === 429 || type === 'rate_limit_error') return 'rate_limited';
  if (status === 529 || type === 'overloaded_error') return 'overloaded';
  if (status === 408 || status === 409 || status === 504) return 'connection';
  if ((status !== undefined && status >= 500) || type === 'api_error' || type === 'timeout_error') return 'overloaded';
  return 'request_failed';
}

/** Milliseconds the provider asks to wait, at most an hour. */
function retryAfter(headers: Headers | undefined): number | undefined {
  const ms = Number(headers?.get('retry-after-ms') ?? Number.NaN);
  const seconds = Number(headers?.get('retry-after') ?? Number.NaN);
  const wait = Number.isFinite(ms) ? ms : seconds * 1_000;
  return Number.isFinite(wait) && wait >= 0 ? Math.min(wait, 3_600_000) : undefined;
}

function errorType(body: unknown): string | undefined {
  const error = field(body, 'error') ?? body;
  const type = field(error, 'type');
  return typeof type === 'string' ? type : undefined;
}

function providerMessage(error: APIError): string {
  const message = field(field(error.error, 'error') ?? error.error, 'message');
  return typeof message === 'string' ? message : error.message;
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

function causeOf(error: Error): string {
  return error.cause instanceof Error ? error.cause.message : error.message;
}
