/** From zod's issues to one message that names the field. */
import type { z } from '@hono/zod-openapi';
import { type ApiError, invalid } from './errors.ts';

type Issue = z.core.$ZodIssue;

interface Problem {
  path: PropertyKey[];
  message: string;
  /** The value was not even of the expected kind: in a union, another branch was meant. */
  wrongKind: boolean;
}

/** Checks `value` against `schema`. @throws ApiError 400 that names the first field that is wrong. */
export function check<T extends z.ZodType>(schema: T, value: unknown, at: string[] = []): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw toApiError(result.error.issues, at);
}

function toApiError(issues: Issue[], at: string[]): ApiError {
  const problem = issues[0] ? describe(issues[0]) : { path: [], message: 'is not valid' };
  return invalid([...at, ...problem.path].map(String).join('.'), problem.message);
}

function describe(issue: Issue): Problem {
  const { path } = issue;
  switch (issue.code) {
    case 'unrecognized_keys':
      return { path: [...path, issue.keys[0] ?? ''], message: 'Extra inputs are not permitted', wrongKind: false };
    case 'invalid_union':
      return describeUnion(issue);
    case 'invalid_type':
      if (issue.message.endsWith('received undefined')) return { path, message: 'Field required', wrongKind: true };
      return { path, message: issue.message.replace('Invalid input: e', 'E'), wrongKind: true };
    case 'invalid_key':
    case 'invalid_element': {
      const inner = issue.issues[0] && describe(issue.issues[0]);
      return { path: [...path, ...(inner?.path ?? [])], message: inner?.message ?? issue.message, wrongKind: false };
    }
    default:
      return { path, message: issue.message, wrongKind: issue.code === 'invalid_value' };
  }
}

/** The branch that was meant is the one whose first complaint lies deepest, or is not about the kind of value. */
function describeUnion(issue: Extract<Issue, { code: 'invalid_union' }>): Problem {
  const { path } = issue;
  const branches = issue.errors.flatMap((issues) => (issues[0] ? [describe(issues[0])] : []));
  const meant = branches
    .filter((problem) => !problem.wrongKind || problem.path.length > 0)
    .sort((a, b) => b.path.length - a.path.length)[0];
  if (meant) return { ...meant, path: [...path, ...meant.path] };
  if (branches.length === 0) return { path, message: unknownVariant(issue), wrongKind: false };
  return { path, message: 'Input matches none of the accepted forms', wrongKind: true };
}

/** A discriminator that names no variant. */
function unknownVariant(issue: Issue): string {
  const options =
    'options' in issue && Array.isArray(issue.options) ? `; expected one of ${issue.options.join(', ')}` : '';
  return `Input does not name a known variant${options}`;
}
