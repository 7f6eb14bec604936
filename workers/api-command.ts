/** `longhand api`: the HTTP API alone. Any number of them may stand behind a load balancer. */
import { randomBytes } from 'node:crypto';
import { startApi } from '../api/index.ts';
import { newObjectId } from '../events/ids.ts';
import { DEFAULT_WORKSPACE, ensureApiKey, listApiKeys } from '../store/keys.ts';
import { apiLog, bareHost, openApiParts } from './api-parts.ts';
import { blobUrl } from './data-folder.ts';
import { type PartStart, type RunningPart, runPart } from './process-command.ts';
import { noArguments, requireDatabase } from './process-needs.ts';

export const apiCommand = (args: string[]) => runPart('api', args, start);

async function start({ settings, temporal, args, log }: PartStart): Promise<RunningPart> {
  noArguments('api', args);
  const databaseUrl = requireDatabase(settings);
  const place = { settings, databaseUrl, temporal, blobUrl: blobUrl(settings) };
  const parts = await openApiParts({ ...place, log: apiLog() });
  try {
    const { orm } = parts.deps.database;
    if (settings.LONGHAND_API_KEY) {
      const id = newObjectId('apikey', Date.now(), () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48);
      const row = { id, workspaceId: DEFAULT_WORKSPACE, name: 'default', now: new Date() };
      await ensureApiKey(orm, settings.LONGHAND_API_KEY, row);
    } else if ((await listApiKeys(orm)).every(({ revokedAt }) => revokedAt)) {
      log('There is no API key yet: make one with `longhand keys create`, or set LONGHAND_API_KEY.');
    }
    const address = { host: bareHost(settings.LONGHAND_HOST), port: settings.LONGHAND_PORT };
    const server = await startApi(parts.deps, address);
    process.stdout.write(`Longhand listens on ${server.url}\n`);
    const done = Promise.withResolvers<void>();
    const stop = async () => {
      await server.close();
      await parts.close();
      done.resolve();
    };
    return { stop: () => stop().catch(done.reject), done: done.promise };
  } catch (error) {
    await parts.close();
    throw error;
  }
}
