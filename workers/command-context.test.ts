import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { apiPlace } from './command-context.ts';
import { forgetApiPlace, writeApiPlace } from './places.ts';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'longhand-context-'));
  await mkdir(join(home, 'run'));
  await writeFile(join(home, 'api-key'), 'lh-kept-in-the-folder\n');
});
afterEach(async () => {
  await rm(home, { recursive: true });
});

const place = async (env: Record<string, string> = {}) => await apiPlace({ LONGHAND_HOME: home, ...env });

test('the running Longhand of the data folder is used, with the folder’s key; else the usual port', async () => {
  expect(await place()).toEqual({ baseURL: 'http://127.0.0.1:8787', apiKey: 'lh-kept-in-the-folder' });
  await writeApiPlace(join(home, 'run'), 'http://127.0.0.1:4711');
  expect(await place()).toEqual({ baseURL: 'http://127.0.0.1:4711', apiKey: 'lh-kept-in-the-folder' });
  await forgetApiPlace(join(home, 'run'));
  expect((await place()).baseURL).toBe('http://127.0.0.1:8787');
});

test('the folder’s key is never sent to another machine; a key that is named is', async () => {
  const LONGHAND_URL = 'https://longhand.example';
  await expect(place({ LONGHAND_URL })).rejects.toThrow(
    'There is no API key for https://longhand.example: set LONGHAND_API_KEY.',
  );
  const LONGHAND_API_KEY = 'lh-named-by-a-person';
  expect(await place({ LONGHAND_URL, LONGHAND_API_KEY })).toEqual({ baseURL: LONGHAND_URL, apiKey: LONGHAND_API_KEY });
  expect((await place({ LONGHAND_URL: 'http://localhost:1' })).apiKey).toBe('lh-kept-in-the-folder');
});

test('without any key it says what to set', async () => {
  await rm(join(home, 'api-key'));
  await expect(place()).rejects.toThrow(
    /no API key for http:\/\/127\.0\.0\.1:8787: set LONGHAND_API_KEY, or LONGHAND_HOME/,
  );
});
