/** `longhand brain`: runs the session workflows and the model requests. Also a child of `longhand dev`. */
import { startBrain } from './brain-worker.ts';
import { blobUrl } from './data-folder.ts';
import { loadModels } from './models-file.ts';
import { type PartStart, type RunningPart, runPart } from './process-command.ts';
import { noArguments, requireDatabase } from './process-needs.ts';
import { sessionDefaults } from './session-defaults.ts';
import { loadTargets } from './targets-file.ts';
import { collectStackTraces } from './workflow-threads.ts';

export const brainCommand = (args: string[]) => runPart('brain', args, start);

async function start({ settings, temporal, args, log }: PartStart): Promise<RunningPart> {
  noArguments('brain', args);
  const databaseUrl = requireDatabase(settings);
  const models = await loadModels(settings.LONGHAND_MODELS);
  const targets = await loadTargets(settings.LONGHAND_TARGETS);
  collectStackTraces(settings.LONGHAND_STACK_TRACES);
  return await startBrain({
    temporal,
    databaseUrl,
    blobUrl: blobUrl(settings),
    model: {
      baseUrl: settings.MODEL_BASE_URL,
      apiKey: settings.MODEL_API_KEY ?? '',
      auth: settings.MODEL_AUTH,
      ...(settings.MODEL_VERSION ? { version: settings.MODEL_VERSION } : {}),
      headers: settings.MODEL_HEADERS,
    },
    models,
    defaults: sessionDefaults(settings, targets),
    onError: (error) => log(error.message),
  });
}
