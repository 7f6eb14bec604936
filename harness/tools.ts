/** The tools as the model sees them: the built-in ones that are enabled, then the agent's custom tools. */
import type { Tool } from '@anthropic-ai/sdk/resources/messages';
import type { SessionAgent } from '../events/wire.ts';
import type { ToolPolicy } from '../workflows/contract.ts';

type Schema = Tool['input_schema'];

const object = (properties: Record<string, unknown>, required: string[] = []): Schema => ({
  type: 'object',
  properties,
  required,
});
const text = (description: string) => ({ type: 'string', description });

/** Names and inputs as REF 5.2 has them; clients and prompts written for the hosted API rely on these. */
const BUILTIN: readonly Tool[] = [
  {
    name: 'bash',
    description:
      'Run a command in a bash shell inside the sandbox. The current directory and exported variables carry over to the next call. A command that reaches its timeout is killed and what it printed so far is returned. Start long-running servers in the background.',
    input_schema: object({
      command: text('The command to run.'),
      restart: { type: 'boolean', description: 'Start a new shell first; may be sent without a command.' },
      timeout_ms: { type: 'integer', description: 'Milliseconds the command may take. 0 or absent: 120000.' },
    }),
  },
  {
    name: 'read',
    description:
      'Read a file: text, or an image (PNG, JPEG, GIF, WebP) or PDF, which you will see. Use view_range for a part of a large text file.',
    input_schema: object(
      {
        file_path: text('Absolute path, or relative to /workspace.'),
        view_range: {
          type: 'array',
          items: { type: 'integer' },
          minItems: 2,
          maxItems: 2,
          description: '[start_line, end_line], 1-indexed, inclusive; an end of 0 or less means the end of the file.',
        },
      },
      ['file_path'],
    ),
  },
  {
    name: 'write',
    description: 'Write a text file, replacing it if it exists. Parent directories are created.',
    input_schema: object(
      { file_path: text('Absolute path, or relative to /workspace.'), content: text('The whole content.') },
      ['file_path', 'content'],
    ),
  },
  {
    name: 'edit',
    description:
      'Replace old_string with new_string in a file. old_string must occur exactly once, unless replace_all is true.',
    input_schema: object(
      {
        file_path: text('Absolute path, or relative to /workspace.'),
        old_string: text('The exact text to replace.'),
        new_string: text('What takes its place.'),
        replace_all: { type: 'boolean', description: 'Replace every occurrence.' },
      },
      ['file_path', 'old_string', 'new_string'],
    ),
  },
  {
    name: 'glob',
    description: 'Find files by a glob pattern such as "**/*.ts"; newest first.',
    input_schema: object({ pattern: text('The pattern.'), path: text('Where to look; default /workspace.') }, [
      'pattern',
    ]),
  },
  {
    name: 'grep',
    description: 'Search the contents of files for a regular expression; returns matching lines.',
    input_schema: object(
      { pattern: text('The regular expression.'), path: text('File or directory; default /workspace.') },
      ['pattern'],
    ),
  },
];

/** Built-in tools by name, in a fixed order. */
export function builtinTools(names: readonly string[]): Tool[] {
  return BUILTIN.filter((tool) => names.includes(tool.name));
}

/** @returns tools in a fixed order, so that the prompt's cached prefix does not move. */
export function toolDefinitions(agent: SessionAgent, policies: Record<string, ToolPolicy>): Tool[] {
  const builtin = BUILTIN.filter((tool) => policies[tool.name]?.kind === 'builtin' && policies[tool.name]?.enabled);
  const custom = agent.tools.flatMap((tool): Tool[] =>
    tool.type === 'custom'
      ? [{ name: tool.name, description: tool.description, input_schema: { ...tool.input_schema, type: 'object' } }]
      : [],
  );
  return [...builtin, ...custom];
}

/** True when the agent can use the sandbox at all. */
export function hasHands(policies: Record<string, ToolPolicy>): boolean {
  return BUILTIN.some((tool) => policies[tool.name]?.kind === 'builtin' && policies[tool.name]?.enabled);
}

/** One line for the Temporal UI: "bash: npm test". At most 200 characters (Temporal allows 400 bytes). */
export function callSummary(name: string, input: Record<string, unknown>): string {
  const main = input.command ?? input.file_path ?? input.pattern ?? '';
  const shown = typeof main === 'string' ? main.replaceAll(/\s+/g, ' ') : '';
  return `${name}${shown ? `: ${shown}` : ''}`.slice(0, 120);
}
