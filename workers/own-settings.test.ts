import { expect, test } from 'vitest';
import { assertOnlyOwnSecrets } from './own-settings.ts';
import type { ProcessName } from './settings.ts';

const ALL_SECRETS = {
  MODEL_API_KEY: 'k',
  MODEL_HEADERS: '{}',
  DATABASE_URL: 'postgres://u:p@h/d',
  PGPASSWORD: 'p',
  LONGHAND_API_KEY: 'lh-0123456789abcdef',
  LONGHAND_VAULT_KEY: 'v',
};

const MAY: Record<ProcessName, string[]> = {
  api: ['DATABASE_URL', 'PGPASSWORD', 'LONGHAND_API_KEY'],
  brain: ['DATABASE_URL', 'PGPASSWORD', 'MODEL_API_KEY', 'MODEL_HEADERS'],
  hands: [],
};

test.each(Object.entries(MAY))('%s refuses every secret of the others by name, and takes its own', (name, may) => {
  for (const [secret, value] of Object.entries(ALL_SECRETS)) {
    const check = () => assertOnlyOwnSecrets(name as ProcessName, { [secret]: value, PATH: '/bin' });
    if (may.includes(secret)) expect(check).not.toThrow();
    else expect(check).toThrow(new RegExp(`longhand ${name} must not have ${secret} `));
  }
});

test('a real provider key under the SDK’s own name is a model key; one of Longhand’s there is not', () => {
  expect(() => assertOnlyOwnSecrets('hands', { ANTHROPIC_API_KEY: 'sk-ant-api03-x' })).toThrow(/ANTHROPIC_API_KEY/);
  expect(() => assertOnlyOwnSecrets('hands', { ANTHROPIC_API_KEY: 'lh-0123456789abcdef' })).not.toThrow();
});

test('the value of a secret is never in the message', () => {
  const check = () => assertOnlyOwnSecrets('hands', { MODEL_API_KEY: 'do-not-print' });
  expect(check).toThrow(expect.not.objectContaining({ message: expect.stringContaining('do-not-print') }));
});
