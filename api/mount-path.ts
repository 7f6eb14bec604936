/** Where a file is shown inside a sandbox: under one folder, whatever a client writes. */
import { invalid } from './errors.ts';

export const UPLOADS = '/mnt/session/uploads';
const MAX_PATH_BYTES = 1_024;
const MAX_NAME_BYTES = 255;

/**
 * Every path is taken as one under {@link UPLOADS}: `data.csv`, `/data.csv` and `/mnt/session/uploads/data.csv` are the
 * same. Absent: the file's id.
 * @param at - the field, for the error. @throws ApiError 400 for what climbs or names no file.
 */
export function mountPathOf(given: string | null | undefined, fileId: string, at: string): string {
  if (given === null || given === undefined) return `${UPLOADS}/${fileId}`;
  const fail = (why: string) => invalid(at, `${JSON.stringify(given.slice(0, 200))} ${why}`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(given) || !given.isWellFormed()) throw fail('holds control characters');
  const whole = given.startsWith(`${UPLOADS}/`) || given === UPLOADS ? given : `${UPLOADS}/${given}`;
  if (given === '' || whole === UPLOADS || whole.endsWith('/')) throw fail('names no file');
  const names = whole.slice(UPLOADS.length).split('/').filter(Boolean);
  if (names.length === 0) throw fail('names no file');
  if (names.some((name) => name === '.' || name === '..')) throw fail('must not hold "." or ".." components');
  if (names.some((name) => Buffer.byteLength(name) > MAX_NAME_BYTES))
    throw fail(`has a name of more than ${MAX_NAME_BYTES} bytes`);
  const path = [UPLOADS, ...names].join('/');
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) throw fail(`is longer than ${MAX_PATH_BYTES} bytes`);
  return path;
}

/** One path may neither be another one nor lie inside it. @param at - the field of `path`. @throws ApiError 400 */
export function refuseOverlap(path: string, others: Iterable<string>, at: string): void {
  for (const other of others) {
    if (other === path) throw invalid(at, `${path} is taken by another resource of this session`);
    if (path.startsWith(`${other}/`) || other.startsWith(`${path}/`)) {
      throw invalid(at, `${path} cannot be mounted beside ${other}: one would lie inside the other`);
    }
  }
}
