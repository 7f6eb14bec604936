/** A session's resource as clients see it. */

import type { BetaManagedAgentsFileResource } from '@anthropic-ai/sdk/resources/beta/sessions';
import { z } from '@hono/zod-openapi';
import type { ResourceRow } from '../store/session-resources.ts';
import { time } from './agent-object.ts';
import { id } from './common.ts';

export const resourceObject = z
  .object({
    id,
    type: z.literal('file'),
    file_id: id,
    mount_path: z.string(),
    created_at: time,
    updated_at: time,
  })
  .openapi('SessionResource') satisfies z.ZodType<BetaManagedAgentsFileResource>;

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
