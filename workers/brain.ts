/** Process entry of the brain: `longhand brain`, or a child of `longhand dev`. Settings come from the environment. */
import { startBrain } from './brain-worker.ts';
import { homeLayout } from './data-folder.ts';
import { loadModels } from './models-file.ts';
import { runWorkerProcess } from './process-life.ts';
import { readSettings } from './settings.ts';

await runWorkerProcess('brain', async (log) => {
  const settings = readSettings(process.env);
  const { DATABASE_URL: databaseUrl, TEMPORAL_ADDRESS: temporalAddress } = settings;
  if (!databaseUrl) throw new Error('The brain needs DATABASE_URL. `longhand dev` sets it for its own.');
  if (!temporalAddress) throw new Error('The brain needs TEMPORAL_ADDRESS. `longhand dev` sets it for its own.');
  const models = await loadModels(settings.LONGHAND_MODELS);
  return startBrain({
    temporalAddress,
    namespace: settings.TEMPORAL_NAMESPACE,
    databaseUrl,
    blobFolder: homeLayout(settings.LONGHAND_HOME).blobs,
    model: {
      baseUrl: settings.MODEL_BASE_URL,
      apiKey: settings.MODEL_API_KEY ?? '',
      auth: settings.MODEL_AUTH,
      ...(settings.MODEL_VERSION ? { version: settings.MODEL_VERSION } : {}),
      headers: settings.MODEL_HEADERS,
    },
    modelSpec: models.find,
    onError: (error) => log(error.message),
  });
});
