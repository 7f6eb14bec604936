/** What went wrong at the API, in words for a person at a terminal. */
import Anthropic from '@anthropic-ai/sdk';
import { CommandError, EXIT } from './context.ts';

/**
 * @param baseURL - where the API was looked for.
 * @returns errors of the SDK as CommandErrors; others as they are.
 */
export function explain(error: unknown, baseURL: string): unknown {
  if (error instanceof Anthropic.APIUserAbortError) return new CommandError('interrupted', EXIT.interrupted);
  if (error instanceof Anthropic.APIConnectionError) {
    return new CommandError(
      `nothing answers at ${baseURL} (${causeOf(error)}). Start Longhand ("longhand dev"), or set LONGHAND_URL.`,
    );
  }
  if (!(error instanceof Anthropic.APIError)) return error;
  const message = error.apiMessage ?? error.message;
  if (error.status === 401) {
    return new CommandError(
      `${baseURL} refused the API key: ${message} Set LONGHAND_API_KEY ("longhand keys create").`,
    );
  }
  if (error.status === 404) return new CommandError(message, EXIT.notFound);
  return new CommandError(
    error.status !== undefined && error.status >= 500 ? `${message} (${request(error)})` : message,
  );
}

function request({ requestID }: { requestID?: string | null }): string {
  return `request ${requestID ?? 'unknown'}`;
}

/** The innermost reason: "ECONNREFUSED" says more than "Connection error.". */
function causeOf(error: Error): string {
  let cause: Error = error;
  while (cause.cause instanceof Error) cause = cause.cause;
  const code: unknown = Reflect.get(cause, 'code');
  return typeof code === 'string' ? code : cause.message;
}
