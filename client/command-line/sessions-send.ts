/** `longhand sessions send` */
import { text as readAll } from 'node:stream/consumers';
import { readArguments, wrongUse } from './arguments.ts';
import { type CommandContext, EXIT, printJson, type Subcommand } from './context.ts';
import { findSessionId } from './find.ts';
import { sendAndFollow } from './follow.ts';

const HELP = `Usage: longhand sessions send SESSION [TEXT] [options]

Sends a message. Without TEXT, or with -, it is read from standard input.
SESSION is an id, or the beginning or end of one.

  --wait   show what the session does until it is idle; exit code 4 when it then waits for an answer of yours
  --json   the API's answer; with --wait one event a line`;

export const sessionsSend: Subcommand = {
  help: HELP,
  async run(args, context) {
    const { values, positionals } = readArguments(
      args,
      HELP,
      { wait: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } },
      1,
      2,
    );
    const [session = '', given] = positionals;
    const text = given === undefined || given === '-' ? await fromInput(context) : given;
    if (text.trim() === '') throw wrongUse('The message is empty.', HELP);
    const api = await context.api();
    const id = await findSessionId(api, session);
    const send = () =>
      api.beta.sessions.events.send(id, { events: [{ type: 'user.message', content: [{ type: 'text', text }] }] });
    if (values.wait) {
      return await sendAndFollow(context, api, id, values.json, async () => {
        const { data } = await send();
        return (data ?? []).map((event) => event.id);
      });
    }
    const answer = await send();
    if (values.json) printJson(context, answer);
    return EXIT.done;
  },
};

async function fromInput({ input, err }: CommandContext): Promise<string> {
  if (input.isTTY) err.write('Type the message, then Ctrl-D.\n');
  return (await readAll(input)).trimEnd();
}
