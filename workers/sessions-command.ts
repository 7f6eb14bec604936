/** `longhand sessions …`: which subcommand is meant. */
import type { Subcommand } from '../client/command-line/context.ts';
import { sessionsApprove } from '../client/command-line/sessions-approve.ts';
import { sessionsCreate } from '../client/command-line/sessions-create.ts';
import { sessionsInterrupt } from '../client/command-line/sessions-interrupt.ts';
import { sessionsList } from '../client/command-line/sessions-list.ts';
import { sessionsSend } from '../client/command-line/sessions-send.ts';
import { sessionsShow } from '../client/command-line/sessions-show.ts';
import { sessionsTail } from '../client/command-line/sessions-tail.ts';
import { runSubcommand } from './command-context.ts';

const SUBCOMMANDS = new Map<string, { summary: string; subcommand: Subcommand }>([
  ['list', { summary: 'the newest sessions', subcommand: sessionsList }],
  ['show', { summary: 'one session, and what it waits for', subcommand: sessionsShow }],
  ['create', { summary: 'start a session', subcommand: sessionsCreate }],
  ['tail', { summary: 'its history, and what happens', subcommand: sessionsTail }],
  ['send', { summary: 'send a message', subcommand: sessionsSend }],
  ['approve', { summary: 'let a tool call run, or deny it', subcommand: sessionsApprove }],
  ['interrupt', { summary: 'end the turn', subcommand: sessionsInterrupt }],
]);

const rows = [...SUBCOMMANDS].map(([name, { summary }]) => `  ${name.padEnd(11)}${summary}`);
const HELP = `Usage: longhand sessions <command>

${rows.join('\n')}
  files      list|get: bring files out of its sandbox

"longhand sessions <command> --help" tells more. Where the API is: LONGHAND_URL, LONGHAND_API_KEY (docs/cli.md).`;

export async function sessionsCommand([name, ...args]: string[]): Promise<number> {
  if (name === 'files') return await (await import('./session-files-command.ts')).sessionFilesCommand(args);
  const found = SUBCOMMANDS.get(name ?? '');
  if (found) return await runSubcommand(found.subcommand, args);
  const asked = name === '--help' || name === '-h' || name === 'help';
  if (!asked && name !== undefined) console.error(`longhand sessions: there is no command "${name}".\n`);
  (asked ? console.log : console.error)(HELP);
  return asked ? 0 : 2;
}
