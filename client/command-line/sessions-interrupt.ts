/** `longhand sessions interrupt` */
import { readArguments } from './arguments.ts';
import { EXIT, printJson, type Subcommand } from './context.ts';
import { findSessionId } from './find.ts';

const HELP = `Usage: longhand sessions interrupt SESSION [--json]

Ends the turn: running calls are stopped, and calls that wait for approval are closed. An idle session stays as it is.
SESSION is an id, or the beginning or end of one.

  --json   the API's answer`;

export const sessionsInterrupt: Subcommand = {
  help: HELP,
  async run(args, context) {
    const options = { json: { type: 'boolean', default: false } } as const;
    const { values, positionals } = readArguments(args, HELP, options, 1);
    const api = await context.api();
    const id = await findSessionId(api, positionals[0] ?? '');
    const answer = await api.beta.sessions.events.send(id, { events: [{ type: 'user.interrupt' }] });
    if (values.json) printJson(context, answer);
    return EXIT.done;
  },
};
