/** Makes files of what has been brought out of a session's sandbox: each content of each path once. */
import mime from 'mime-types';
import type { Blobs } from '../store/blobs/blobs.ts';
import type { Queries } from '../store/database.ts';
import { insertOutputs } from '../store/outputs.ts';
import type { BrainActivities, OutputList } from '../workflows/contract.ts';

export function createRecordOutputs(db: Queries, blobs: Blobs): BrainActivities['recordOutputs'] {
  return async ({ session, list }) => {
    const { files } = JSON.parse((await blobs.get(session, list)).toString()) as OutputList;
    const outputs = files.map(({ path, sha256, bytes }) => ({
      // Names of files may hold anything but a zero; what a terminal or a header would act on is shown as unknown.
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      filename: path.replaceAll(/[\u0000-\u001f\u007f]/g, '\ufffd').toWellFormed(),
      ...{ sha256, bytes, mimeType: mime.lookup(path) || 'application/octet-stream' },
    }));
    await insertOutputs(db, session, outputs, new Date());
  };
}
