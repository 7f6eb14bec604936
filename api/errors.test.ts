import { expect, test } from 'vitest';
import { SessionClosedError } from '../client/session.ts';
import { ensureApiError, errorBody, invalid } from './errors.ts';

const withCode = (message: string, code: unknown, cause?: Error) =>
  Object.assign(new Error(message, { cause }), { code });

test.each([
  ['one of ours stays', invalid('name', 'Field required'), 400, /^name: Field required$/],
  ['a session that has ended', new SessionClosedError('sesn_1'), 400, /sesn_1 has ended/],
  ['Temporal is away', withCode('14 UNAVAILABLE: No connection', 14), 503, /^Temporal .*safe/],
  [
    'the database is away, deeper down',
    withCode('Failed query', undefined, withCode('connect', 'ECONNREFUSED')),
    503,
    /^The database/,
  ],
  ['a pool that is used up', new Error('timeout exceeded when trying to connect'), 503, /^The database/],
  ['a bug says nothing of itself', new TypeError('secret of x is undefined'), 500, /^Internal error/],
  ['whatever else is thrown', 'secret', 500, /^Internal error/],
])('%s', (_name, thrown, status, message) => {
  const error = ensureApiError(thrown);
  expect([error.status, error.message]).toEqual([status, expect.stringMatching(message)]);
  expect(JSON.stringify(errorBody(error, 'req_1'))).not.toContain('secret');
});
