/** Agents and environments as `apply` handles both: found by name, tried, made, changed. */
import type Anthropic from '@anthropic-ai/sdk';
import type { AgentCreateParams, AgentUpdateParams } from '@anthropic-ai/sdk/resources/beta/agents';
import type { EnvironmentCreateParams } from '@anthropic-ai/sdk/resources/beta/environments';
import type { Kind } from './declarations.ts';
import type { Stored } from './difference.ts';

export interface DeclaredKind {
  /** All that are not archived. */
  list(): Promise<Stored[]>;
  /** @param dryRun - resolves to what it would be, and changes nothing. */
  create(fields: object, dryRun: boolean): Promise<Stored>;
  /** Of agents only if they are still at the version that was looked at. */
  update(stored: Stored, fields: object, dryRun: boolean): Promise<Stored>;
}

/** The SDK's types do not matter here: whether the fields are right is the API's to say. */
export function declaredKinds(api: Anthropic): Record<Kind, DeclaredKind> {
  const { agents, environments } = api.beta;
  const options = (dryRun: boolean) => (dryRun ? { query: { beta: 'true', dry_run: 'true' } } : {});
  const stored = (object: object) => object as Stored;
  return {
    agent: {
      list: () => all(agents.list({ limit: 100 })),
      create: async (fields, dryRun) => stored(await agents.create(fields as AgentCreateParams, options(dryRun))),
      update: async ({ id, version }, fields, dryRun) =>
        stored(await agents.update(id, { version, ...fields } as AgentUpdateParams, options(dryRun))),
    },
    environment: {
      list: () => all(environments.list({ limit: 100 })),
      create: async (fields, dryRun) =>
        stored(await environments.create(fields as EnvironmentCreateParams, options(dryRun))),
      update: async ({ id }, fields, dryRun) => stored(await environments.update(id, fields, options(dryRun))),
    },
  };
}

async function all(list: AsyncIterable<object>): Promise<Stored[]> {
  const found: Stored[] = [];
  for await (const one of list) found.push(one as Stored);
  return found;
}
