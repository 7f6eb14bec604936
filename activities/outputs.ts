/** What an agent has handed in, brought out of its sandbox for a grader: names and sizes, and the text of small files. */
import type { Readable } from 'node:stream';
import type { FileStat, Hands, SandboxRef } from '../sandbox/hands.ts';
import type { Blobs } from '../store/blobs/blobs.ts';
import type { Outputs } from '../workflows/grading-contract.ts';

const FOLDER = '/mnt/session/outputs';
/** Names that are listed; folders that are looked into; texts that are read. */
const MAX_FILES = 200;
const MAX_FOLDERS = 50;
const MAX_TEXTS = 24;
/** Bytes of one text, and of all. */
const MAX_TEXT_BYTES = 48 * 1024;
const MAX_ALL_BYTES = 160 * 1024;
/** Files that are read at once. */
const AT_ONCE = 4;

/** @returns the blob's name. The rest is for the grader's own tools. @throws as the hands do. */
export async function readOutputs(hands: Hands, blobs: Blobs, ref: SandboxRef): Promise<{ sha256: string }> {
  const { found, more } = await walk(hands, ref);
  const readable: FileStat[] = [];
  let bytes = 0;
  for (const file of found) {
    if (readable.length >= MAX_TEXTS || file.bytes > MAX_TEXT_BYTES || bytes + file.bytes > MAX_ALL_BYTES) continue;
    bytes += file.bytes;
    readable.push(file);
  }
  const texts = new Map<string, string>();
  const next = async () => {
    for (let file = readable.shift(); file; file = readable.shift()) {
      const text = await textIn(hands, ref, file.path);
      if (text !== undefined) texts.set(file.path, text);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
  const outputs: Outputs = {
    files: found.map(({ path, bytes: size }) => {
      const text = texts.get(path);
      return { path, bytes: size, ...(text === undefined ? {} : { text }) };
    }),
    more,
  };
  const { sha256 } = await blobs.put(ref.sessionId, Buffer.from(JSON.stringify(outputs)));
  return { sha256 };
}

/** Regular files, folder by folder. Links are not followed: what they lead to is not handed in. */
async function walk(hands: Hands, ref: SandboxRef): Promise<{ found: FileStat[]; more: boolean }> {
  const folders = [FOLDER];
  const found: FileStat[] = [];
  for (let visited = 0; folders.length > 0; visited++) {
    const folder = folders.shift();
    if (folder === undefined || visited >= MAX_FOLDERS) return { found, more: true };
    for (const file of await hands.listFiles(ref, folder)) {
      if (file.type === 'directory') folders.push(file.path);
      else if (file.type === 'file' && found.length >= MAX_FILES) return { found, more: true };
      else if (file.type === 'file') found.push(file);
    }
  }
  return { found, more: false };
}

/** undefined for what is no text, or went away, or grew while it was read. */
async function textIn(hands: Hands, ref: SandboxRef, path: string): Promise<string | undefined> {
  let stream: Readable;
  try {
    stream = await hands.readFile(ref, path);
  } catch (error) {
    // The tool server's own words for a file that is no more, or may not be read.
    if (error instanceof Error && Reflect.get(error, 'status') === 404) return undefined;
    throw error;
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // Leaving the loop destroys the stream.
    if (bytes > MAX_TEXT_BYTES) return undefined;
    chunks.push(chunk);
  }
  const whole = Buffer.concat(chunks);
  if (whole.includes(0)) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(whole);
  } catch {
    return undefined;
  }
}
