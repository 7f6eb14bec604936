/** `longhand keys create|list|revoke` and `longhand workspaces create|list`: straight at the database. */
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { newObjectId } from '../events/ids.ts';
import { type Database, migrateDatabase, openDatabase } from '../store/database.ts';
import {
  createWorkspace,
  DEFAULT_WORKSPACE,
  ensureApiKey,
  listApiKeys,
  listWorkspaces,
  newApiKey,
  revokeApiKey,
} from '../store/keys.ts';
import { embeddedDatabaseUrl, startPostgres } from '../store/postgres/embedded.ts';
import { openDataFolder, StartError } from './data-folder.ts';
import { readSettings } from './settings.ts';

const KEYS_USAGE = `Usage:
  longhand keys create [--name NAME] [--workspace ID]   prints the new key, once
  longhand keys list
  longhand keys revoke ID`;

const WORKSPACES_USAGE = `Usage:
  longhand workspaces create NAME   prints the new workspace's id
  longhand workspaces list`;

export async function keysCommand(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { name: { type: 'string', default: 'key' }, workspace: { type: 'string', default: DEFAULT_WORKSPACE } },
  });
  const [action, id, ...rest] = positionals;
  if (action === 'create' && id === undefined) {
    return await withDatabase((db) => createKey(db, values.name, values.workspace));
  }
  if (action === 'list' && id === undefined) return await withDatabase(printKeys);
  if (action === 'revoke' && id !== undefined && rest.length === 0) return await withDatabase((db) => revoke(db, id));
  console.error(KEYS_USAGE);
  return 2;
}

async function createKey({ orm }: Database, name: string, workspaceId: string): Promise<number> {
  const known = await listWorkspaces(orm);
  if (workspaceId !== DEFAULT_WORKSPACE && !known.some(({ id }) => id === workspaceId)) {
    console.error(`There is no workspace "${workspaceId}". "longhand workspaces list" shows those that there are.`);
    return 1;
  }
  const key = newApiKey();
  await ensureApiKey(orm, key, { id: newId('apikey'), workspaceId, name, now: new Date() });
  console.log(key);
  return 0;
}

async function printKeys({ orm }: Database): Promise<number> {
  for (const key of await listApiKeys(orm)) {
    const state = key.revokedAt ? `revoked ${key.revokedAt.toISOString()}` : 'active';
    console.log([key.id, key.workspaceId, key.name, `${key.hint}…`, key.createdAt.toISOString(), state].join('  '));
  }
  return 0;
}

async function revoke({ orm }: Database, id: string): Promise<number> {
  if (await revokeApiKey(orm, id, new Date())) return 0;
  console.error(`There is no key "${id}". "longhand keys list" shows those that there are.`);
  return 1;
}

export async function workspacesCommand(args: string[]): Promise<number> {
  const [action, name, ...rest] = args;
  if (action === 'create' && name !== undefined && rest.length === 0) {
    return await withDatabase(async ({ orm }) => {
      const id = newId('wrkspc');
      await createWorkspace(orm, id, name, new Date());
      console.log(id);
      return 0;
    });
  }
  if (action === 'list' && name === undefined) {
    return await withDatabase(async ({ orm }) => {
      for (const row of await listWorkspaces(orm))
        console.log(`${row.id}  ${row.name}  ${row.createdAt.toISOString()}`);
      return 0;
    });
  }
  console.error(WORKSPACES_USAGE);
  return 2;
}

/** The running Longhand's database, or the embedded one started for this command alone. */
async function withDatabase(act: (database: Database) => Promise<number>): Promise<number> {
  const settings = readSettings(process.env);
  if (settings.DATABASE_URL) return await withUrl(settings.DATABASE_URL, act);
  const opened = await openDataFolder(settings.LONGHAND_HOME).catch((error: unknown) => {
    if (error instanceof StartError && error.reason === 'locked') return undefined;
    throw error;
  });
  // Locked: a Longhand runs here, and its database with it.
  if (opened === undefined) return await withUrl(await embeddedDatabaseUrl(`${settings.LONGHAND_HOME}/postgres`), act);
  try {
    const server = await startPostgres({ dataDir: opened.layout.postgres });
    try {
      return await withUrl(server.url, act);
    } finally {
      await server.stop();
    }
  } finally {
    opened.lock.release();
  }
}

async function withUrl(url: string, act: (database: Database) => Promise<number>): Promise<number> {
  await migrateDatabase(url);
  const database = openDatabase(url);
  try {
    return await act(database);
  } finally {
    await database.close();
  }
}

function newId(prefix: string): string {
  return newObjectId(prefix, Date.now(), () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48);
}
