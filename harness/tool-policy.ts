/** What an agent's tools mean to the session: which names exist, which are enabled, and who must agree to a call. */
import type { SessionAgent } from '../events/wire.ts';
import type { ToolPolicy } from '../workflows/contract.ts';

/** The built-in tools that Longhand runs. The web tools of the toolset are left out until there is a gate. */
export const BUILTIN_TOOLS = ['bash', 'read', 'write', 'edit', 'glob', 'grep'] as const;

/** @returns a policy for every tool name that the session knows; names that are absent are denied. */
export function toolPolicies(agent: Pick<SessionAgent, 'tools'>): Record<string, ToolPolicy> {
  const policies: Record<string, ToolPolicy> = Object.create(null);
  for (const tool of agent.tools) {
    if (tool.type === 'custom') {
      policies[tool.name] = { kind: 'custom', enabled: true };
    } else if (tool.type === 'agent_toolset_20260401') {
      const usual = tool.default_config;
      for (const name of BUILTIN_TOOLS) {
        const own = tool.configs.find((config) => config.name === name);
        policies[name] = {
          kind: 'builtin',
          enabled: own?.enabled ?? usual.enabled,
          policy: (own?.permission_policy ?? usual.permission_policy).type,
        };
      }
    }
  }
  return { ...policies };
}
