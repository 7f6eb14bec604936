/** Every variable that the official SDK knows, by its own code, so that a new one of a later release is set as well. */
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SDK = dirname(fileURLToPath(import.meta.resolve('@anthropic-ai/sdk')));

/** @param url - what `ANTHROPIC_BASE_URL` points at; everything else holds the word "trap". */
export async function everyAnthropicVariable(url: string): Promise<Record<string, string>> {
  const names = new Set<string>();
  for (const file of await readdir(SDK, { recursive: true })) {
    if (!file.endsWith('.mjs')) continue;
    for (const [name] of (await readFile(join(SDK, file), 'utf8')).matchAll(/\bANTHROPIC_[A-Z0-9_]+\b/g))
      names.add(name);
  }
  if (names.size < 20) throw new Error(`Only ${names.size} ANTHROPIC_* variables were found in ${SDK}.`);
  const special = { ANTHROPIC_BASE_URL: url, ANTHROPIC_CUSTOM_HEADERS: 'x-trap: sprung', ANTHROPIC_LOG: 'debug' };
  return { ...Object.fromEntries([...names].map((name) => [name, 'trap'])), ...special };
}
