/** What a person declares in files: agents and environments, several a file, YAML or JSON. */
import { readFile } from 'node:fs/promises';
import { text as readAll } from 'node:stream/consumers';
import { LineCounter, parseAllDocuments } from 'yaml';
import { CommandError, EXIT, type Input } from './context.ts';

export const KINDS = ['agent', 'environment'] as const;
export type Kind = (typeof KINDS)[number];

/** One object as it shall be: the fields of the API, and what they are of. */
export interface Declaration {
  kind: Kind;
  name: string;
  /** For the API, `name` included and `kind` not. */
  fields: Record<string, unknown>;
  /** Where it stands, for messages. */
  place: string;
}

/**
 * @param paths - files; `-` is standard input.
 * @throws CommandError (exit code 2) that names the file and what is wrong; also when two declare the same object.
 */
export async function readDeclarations(paths: string[], input: Input): Promise<Declaration[]> {
  const all: Declaration[] = [];
  for (const path of paths) {
    const text = path === '-' ? await readAll(input) : await readDeclared(path);
    all.push(...parseDeclarations(text, path === '-' ? 'standard input' : path));
  }
  for (const [index, one] of all.entries()) {
    const earlier = all.slice(0, index).find(({ kind, name }) => kind === one.kind && name === one.name);
    if (earlier) throw wrong(one.place, `${one.kind} "${one.name}" is declared in ${earlier.place} already`);
  }
  return all;
}

async function readDeclared(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw wrong(path, `it cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown reason'})`);
  }
}

/** JSON is YAML too. A document may also be a list of objects. */
export function parseDeclarations(text: string, file: string): Declaration[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, merge: true, prettyErrors: false });
  const declared: Declaration[] = [];
  for (const document of 'empty' in documents ? [] : documents) {
    const at = (offset: number) => `${file}:${lines.linePos(offset).line}`;
    const [problem] = document.errors;
    if (problem) throw wrong(at(problem.pos[0]), problem.message);
    const content = toPlain(document, file);
    if (content === null) continue;
    const place = at(document.contents?.range?.[0] ?? document.range[0]);
    const objects: unknown[] = Array.isArray(content) ? content : [content];
    for (const [index, object] of objects.entries()) {
      declared.push(toDeclaration(object, Array.isArray(content) ? `${place} (entry ${index + 1})` : place));
    }
  }
  if (declared.length === 0) throw wrong(file, 'it declares nothing');
  return declared;
}

function toPlain(document: { toJS(): unknown }, file: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    // For example aliases that would grow without end.
    throw wrong(file, error instanceof Error ? error.message : String(error));
  }
}

function toDeclaration(object: unknown, place: string): Declaration {
  if (typeof object !== 'object' || object === null || Array.isArray(object)) {
    throw wrong(place, 'a mapping with "kind" and "name" is expected');
  }
  const { kind, ...fields } = object as Record<string, unknown>;
  const known = KINDS.find((one) => one === kind);
  if (known === undefined) {
    throw wrong(
      place,
      `kind is ${JSON.stringify(kind) ?? 'missing'}; give ${KINDS.map((one) => `"${one}"`).join(' or ')}`,
    );
  }
  const { name } = fields;
  // Everything else is the API's to judge; by its name the object is found.
  if (typeof name !== 'string' || name === '') {
    throw wrong(place, `name is ${JSON.stringify(name) ?? 'missing'}; give the ${known}'s name`);
  }
  return { kind: known, name, fields, place };
}

function wrong(place: string, problem: string): CommandError {
  return new CommandError(`${place}: ${problem}.`, EXIT.usedWrongly);
}
