import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadModels } from './models-file.ts';
import { readSettings, SETTINGS, SettingsError } from './settings.ts';
import { SETTINGS_PAGE, settingsPage } from './settings-page.ts';

test('docs/settings.md is the table of settings', async () => {
  // The formatter aligns the columns of tables.
  const cells = (page: string) => page.replace(/ *\| */g, '|').replace(/-{3,}/g, '---');
  expect(cells(await readFile(SETTINGS_PAGE, 'utf8'))).toBe(cells(settingsPage()));
});

test('without any variable everything has its documented default', () => {
  expect(readSettings({})).toMatchObject({
    LONGHAND_HOST: '127.0.0.1',
    LONGHAND_PORT: 8787,
    LONGHAND_HOME: join(process.cwd(), '.longhand'),
    LONGHAND_API_KEY: undefined,
    TEMPORAL_NAMESPACE: 'default',
    MODEL_BASE_URL: 'https://api.anthropic.com',
    MODEL_AUTH: 'x-api-key',
    MODEL_HEADERS: {},
    LONGHAND_TOOL_TIMEOUT_MAX: 3_600_000,
  });
});

test('no setting is an ANTHROPIC_* variable', () => {
  const env = { ANTHROPIC_BASE_URL: 'http://self.example', ANTHROPIC_API_KEY: 'k', ANTHROPIC_AUTH_TOKEN: 't' };
  expect(readSettings(env)).toEqual(readSettings({}));
  expect(Object.keys(SETTINGS).filter((name) => name.startsWith('ANTHROPIC'))).toEqual([]);
});

test('every wrong variable is named at once, with its value and the fix', () => {
  const env = { LONGHAND_PORT: '99999', TEMPORAL_ADDRESS: 'http://x', MODEL_AUTH: 'basic', MODEL_HEADERS: 'a=b' };
  expect(() => readSettings(env)).toThrow(SettingsError);
  const message = messageOf(() => readSettings(env));
  expect(message).toContain('LONGHAND_PORT is "99999". Give a port from 0 to 65535');
  expect(message).toContain('TEMPORAL_ADDRESS is "http://x". Give host:port');
  expect(message).toContain('MODEL_AUTH is "basic". Give x-api-key or bearer');
  expect(message).toContain('MODEL_HEADERS is not valid');
});

test('a wrong key is never shown', () => {
  expect(messageOf(() => readSettings({ LONGHAND_API_KEY: 'sk-secret' }))).not.toContain('sk-secret');
});

test('an address that other machines reach needs a key of 32 characters', () => {
  const key = `lh-${'x'.repeat(29)}`;
  expect(() => readSettings({ LONGHAND_HOST: '0.0.0.0' })).toThrow(/LONGHAND_API_KEY is not set/);
  expect(() => readSettings({ LONGHAND_HOST: '0.0.0.0', LONGHAND_API_KEY: key.slice(0, 31) })).toThrow(
    /shorter than 32/,
  );
  expect(readSettings({ LONGHAND_HOST: '0.0.0.0', LONGHAND_API_KEY: key }).LONGHAND_API_KEY).toBe(key);
  expect(readSettings({ LONGHAND_HOST: '::1' }).LONGHAND_HOST).toBe('::1');
});

test('the models file adds, renames and limits models; unknown ids get the stated defaults', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'longhand-models-'));
  try {
    const path = join(folder, 'models.yaml');
    await writeFile(
      path,
      'claude-opus-5-5: up/opus\nours: { upstream: up/ours, window: 9000, system_messages: true }\n',
    );
    const models = await loadModels(path);
    expect(models.known()[0]?.id).toBe('ours');
    expect(models.find('ours')).toMatchObject({
      upstream: 'up/ours',
      window: 9_000,
      maxOutput: 32_000,
      systemMessages: true,
    });
    expect(models.find('claude-opus-5-5')).toMatchObject({ upstream: 'up/opus', window: 1_000_000, fast: true });
    expect(models.find('other')).toMatchObject({ upstream: 'other', window: 200_000, efforts: [] });
    await writeFile(path, 'ours: { windows: 9000 }\n');
    await expect(loadModels(path)).rejects.toThrow(/LONGHAND_MODELS is .*models\.yaml[\s\S]*windows/);
    await expect(loadModels(join(folder, 'none'))).rejects.toThrow(/LONGHAND_MODELS.*cannot be read/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

function messageOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}
