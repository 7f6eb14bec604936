/**
 * `{{…}}` in a rehearsal file: values of the conversation inside what the model says. Parsed when the file is loaded, so
 * a misspelt name is an error of the file and not a surprise in the middle of a session.
 *
 * @example `{{result.1.text | match /total: (\d+)/}}`
 */

/** Looks a path up; undefined when the conversation holds no such value. */
export type Lookup = (path: string[]) => string | undefined;

type Filter = (value: string) => string | undefined;
interface Expression {
  source: string;
  path: string[];
  filters: Filter[];
  fallback?: string;
}
export type Template = (string | Expression)[];

/** Names that may begin a path. */
// biome-ignore format: one line reads better
export const ROOTS = [
  'user', 'document', 'result', 'calls', 'round', 'step', 'turn', 'call', 'model', 'bookmark',
] as const;

/** Thrown while a reply is rendered: the conversation lacks a value that the script asks for. */
export class MissingValue extends Error {
  override name = 'MissingValue';
  constructor(expression: string) {
    super(`the conversation holds no value for {{${expression}}}`);
  }
}

/** @throws Error for unknown names and filters, without position: the caller knows the path. */
export function parseTemplate(source: string): Template {
  const parts: Template = [];
  let rest = source;
  while (rest !== '') {
    const start = rest.search(/\\?\{\{/);
    if (start === -1) {
      parts.push(rest);
      break;
    }
    parts.push(rest.slice(0, start));
    if (rest[start] === '\\') {
      parts.push('{{');
      rest = rest.slice(start + 3);
      continue;
    }
    const end = rest.indexOf('}}', start);
    if (end === -1) throw new Error('{{ has no }} (write \\{{ for the two characters themselves)');
    parts.push(parseExpression(rest.slice(start + 2, end).trim()));
    rest = rest.slice(end + 2);
  }
  return parts.filter((part) => part !== '');
}

function parseExpression(source: string): Expression {
  const [head = '', ...filters] = splitPipes(source);
  const path = head.split('.');
  const root = path[0] ?? '';
  if (!(ROOTS as readonly string[]).includes(root))
    throw new Error(`{{${source}}}: unknown name "${root}"; known are ${ROOTS.join(', ')} (write \\{{ for two braces)`);
  const expression: Expression = { source, path, filters: [] };
  for (const filter of filters) {
    const [, name = '', argument = ''] = /^(\w+)\s*(.*)$/s.exec(filter) ?? [];
    if (name === 'default') expression.fallback = argument.replace(/^"(.*)"$/s, '$1');
    else expression.filters.push(parseFilter(name, argument, source));
  }
  return expression;
}

/** Splits at `|`, but not inside a `/regex/` or a "string". */
function splitPipes(source: string): string[] {
  const parts = source.match(/(?:"[^"]*"|\/(?:\\.|[^/\\])*\/[a-z]*|[^|])+/g) ?? [];
  return parts.map((part) => part.trim());
}

function parseFilter(name: string, argument: string, source: string): Filter {
  if (name === 'trim') return (value) => value.trim();
  if (name === 'line') {
    const line = Number(argument);
    if (!Number.isInteger(line) || line === 0) throw new Error(`{{${source}}}: line needs a number, not "${argument}"`);
    return (value) =>
      value
        .trimEnd()
        .split('\n')
        .at(line > 0 ? line - 1 : line);
  }
  if (name === 'match') {
    const [, body, flags = ''] = /^\/(.*)\/([a-z]*)$/s.exec(argument) ?? [];
    if (body === undefined) throw new Error(`{{${source}}}: match needs a /regex/, not "${argument}"`);
    const regex = new RegExp(body, flags.replaceAll('g', ''));
    return (value) => {
      const match = regex.exec(value);
      return match ? (match[1] ?? match[0]) : undefined;
    };
  }
  throw new Error(`{{${source}}}: unknown filter "${name}"; known are match, line, trim, default`);
}

/** @throws MissingValue unless the expression has a default. */
export function renderTemplate(template: Template, lookup: Lookup): string {
  return template.map((part) => (typeof part === 'string' ? part : evaluate(part, lookup))).join('');
}

function evaluate(expression: Expression, lookup: Lookup): string {
  let value = lookup(expression.path);
  for (const filter of expression.filters) value = value === undefined ? undefined : filter(value);
  value ??= expression.fallback;
  if (value === undefined) throw new MissingValue(expression.source);
  return value;
}
