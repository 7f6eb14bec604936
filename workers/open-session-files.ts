/** The files of sandboxes, for commands that run beside a Longhand. */
import { Client } from '@temporalio/client';
import { createSessionFiles, type SessionFiles } from '../client/session-files.ts';
import { createSessionClient } from '../client/temporal-session-client.ts';
import { openBlobs } from '../store/blobs/open.ts';
import { connectTemporal, type TemporalTarget } from './temporal-connection.ts';
import { payloadConverterPath } from './workflow-bundle.ts';

/** @param blobUrl - the blob store that the hands worker writes to. */
export async function openSessionFiles(
  temporal: TemporalTarget,
  blobUrl: string,
): Promise<SessionFiles & { close(): Promise<void> }> {
  const connection = await connectTemporal(temporal);
  const client = new Client({ connection, namespace: temporal.namespace, dataConverter: { payloadConverterPath } });
  const files = createSessionFiles(client, createSessionClient(client), await openBlobs(blobUrl));
  return { ...files, close: () => connection.close() };
}
