/** A session's resource as clients see it. */
import type { BetaManagedAgentsFileResource } from '@anthropic-ai/sdk/resources/beta/sessions';
import type { ResourceRow } from '../store/session-resources.ts';

export function toResource(row: ResourceRow): BetaManagedAgentsFileResource {
  return {
    id: row.id,
    type: 'file',
    file_id: row.fileId,
    mount_path: row.mountPath,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}
