/** What `longhand doctor` looks at. It changes nothing and starts nothing; every check ends with a finding, never throws. */
import { checkData } from './doctor-data.ts';
import { checkMachine } from './doctor-machine.ts';
import { checkDatabase, checkTemporal } from './doctor-servers.ts';
import { assertOnlyOwnSecrets } from './own-settings.ts';
import { type ProcessName, readSettings, type Settings, SettingsError } from './settings.ts';
import { loadServedTargets, loadTargets } from './targets-file.ts';
import { temporalTarget } from './temporal-connection.ts';

export interface Finding {
  check: string;
  /** `warning`: it works, but somebody should know. `missing`: it does not, and the fix says what to do. */
  status: 'ok' | 'warning' | 'missing';
  found: string;
  fix?: string;
}

/** What a check is given. */
export interface Examination {
  settings: Settings;
  env: NodeJS.ProcessEnv;
  /** The part that is to run here; undefined: everything, as in `longhand dev`. */
  part: ProcessName | undefined;
}

/** All findings, in the order in which a person should mend things. */
export async function examine(env: NodeJS.ProcessEnv, part?: ProcessName): Promise<Finding[]> {
  const wrong = settingsFindings(env, part);
  if (wrong.some(({ status }) => status === 'missing')) return wrong;
  const given: Examination = { settings: readSettings(env), env, part };
  const groups = [
    checkMachine(given),
    checkDatabase(given),
    checkTemporal(given),
    checkData(given),
    checkTargets(given),
  ];
  return [...wrong, ...(await Promise.all(groups)).flat(), ...modelFindings(given)];
}

/** With settings that cannot be read nothing else can be said. */
function settingsFindings(env: NodeJS.ProcessEnv, part: ProcessName | undefined): Finding[] {
  const check = 'settings';
  try {
    if (part) assertOnlyOwnSecrets(part, env);
    readSettings(env);
    temporalTarget(env);
    return [{ check, status: 'ok', found: 'every variable that is set can be used' }];
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    const fix = 'correct or unset the variable (docs/settings.md)';
    return error.message.split('\n').map((found) => ({ check, status: 'missing', found, fix }));
  }
}

async function checkTargets({ settings, part }: Examination): Promise<Finding[]> {
  const { LONGHAND_TARGETS: file } = settings;
  if (file === undefined) return [];
  const check = 'targets';
  try {
    const drives = part === undefined || part === 'hands';
    const targets = await (drives ? loadServedTargets(settings) : loadTargets(file));
    return [{ check, status: 'ok', found: [...(targets?.keys() ?? [])].join(', ') || `none in ${file}` }];
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    return [{ check, status: 'missing', found: error.message, fix: 'correct the file, or unset LONGHAND_TARGETS' }];
  }
}

function modelFindings({ settings, part }: Examination): Finding[] {
  if (part === 'api' || part === 'hands') return [];
  const check = 'model key';
  const { MODEL_API_KEY: key, MODEL_BASE_URL: provider, MODEL_HEADERS: headers } = settings;
  if (key) return [{ check, status: 'ok', found: `MODEL_API_KEY is set, for ${provider}` }];
  if (Object.keys(headers).length > 0) {
    return [{ check, status: 'ok', found: `none; ${Object.keys(headers).join(', ')} are sent to ${provider}` }];
  }
  const fix = 'set MODEL_API_KEY (and MODEL_BASE_URL for another provider than Anthropic)';
  return [{ check, status: 'missing', found: 'MODEL_API_KEY is not set: turns end with an authentication error', fix }];
}
