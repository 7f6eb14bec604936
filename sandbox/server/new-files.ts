/**
 * How fast files appear, without looking for them: gVisor numbers the files of a file system in memory one after the
 * other, so the number that a new file gets says how many were made before it. Names for the same file (hard links) do
 * not count.
 */
import { closeSync, fstatSync, openSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';

/** Files and directories made since it was asked last, on that file system; undefined where numbers do not tell. */
export type CountNew = () => number | undefined;

/** @param folder - of the file system that is watched; no agent may write to it. */
export function watchNewFiles(folder: string): CountNew {
  const path = join(folder, '.number');
  let before = tryNumber(path);
  // Elsewhere numbers are random, or used again.
  const inOrder = before !== undefined && tryNumber(path) === before + 1;
  if (before !== undefined) before++;
  return () => {
    if (!inOrder || before === undefined) return undefined;
    const now = tryNumber(path);
    if (now === undefined) return undefined;
    const made = now - before - 1;
    before = now;
    return made;
  };
}

/** Of a file that is made for it and removed; undefined if it cannot be made, e.g. when the disk is full. */
function tryNumber(path: string): number | undefined {
  try {
    const fd = openSync(path, 'wx', 0o600);
    unlinkSync(path);
    try {
      return fstatSync(fd).ino;
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
}
