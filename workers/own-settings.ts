/**
 * Promise 5 of the design, at the door of each process: the brain holds no hands, the hands hold no secrets. A process
 * that is given a secret of another's does not run with it: whoever broke into it would have it.
 */
import { type ProcessName, SettingsError } from './settings.ts';

/** Secrets by variable, whose they are, and what they open. `ANTHROPIC_*` is never read, but a real key there is one. */
const SECRETS: readonly { name: string; of: readonly ProcessName[]; opens: string; looksReal?: RegExp }[] = [
  { name: 'MODEL_API_KEY', of: ['brain'], opens: 'the model provider' },
  { name: 'MODEL_HEADERS', of: ['brain'], opens: 'the model provider' },
  { name: 'ANTHROPIC_API_KEY', of: ['brain'], opens: 'the model provider', looksReal: /^sk-ant-/ },
  { name: 'ANTHROPIC_AUTH_TOKEN', of: ['brain'], opens: 'the model provider', looksReal: /^sk-ant-/ },
  { name: 'DATABASE_URL', of: ['api', 'brain'], opens: 'the database' },
  { name: 'PGPASSWORD', of: ['api', 'brain'], opens: 'the database' },
  { name: 'LONGHAND_API_KEY', of: ['api'], opens: 'the API' },
  { name: 'LONGHAND_SANDBOX_KEY', of: ['hands'], opens: 'the sandboxes' },
  // Only the gate decrypts vaults.
  { name: 'LONGHAND_VAULT_KEY', of: [], opens: 'the vaults' },
];

/** @throws SettingsError that names every variable which this process must not have. */
export function assertOnlyOwnSecrets(process: ProcessName, env: NodeJS.ProcessEnv): void {
  const foreign = SECRETS.filter(({ name, of, looksReal }) => {
    const value = env[name];
    return value && !of.includes(process) && (looksReal === undefined || looksReal.test(value));
  });
  if (foreign.length === 0) return;
  const list = foreign.map(({ name, opens }) => `${name} (opens ${opens})`).join(', ');
  throw new SettingsError(
    `longhand ${process} must not have ${list}. Start it without: each part gets only the secrets it needs.`,
  );
}
