/** `longhand sessions create` */
import { readArguments, wrongUse } from './arguments.ts';
import { EXIT, printJson, type Subcommand } from './context.ts';
import { openEvents } from './event-source.ts';
import { findAgentId, findEnvironmentId } from './find.ts';
import { eventPrinter, showUntilQuiet, sourceOptions } from './follow.ts';
import { createQuiet } from './quiet.ts';

const HELP = `Usage: longhand sessions create --agent AGENT --environment ENVIRONMENT [options]

Starts a session and prints its id. AGENT and ENVIRONMENT are names or ids.

  --message TEXT   the first message; without it the session waits for one
  --title TEXT     a title
  --wait           show what it does until it is idle; needs --message
  --json           the API's session object; with --wait one line of JSON, and one for each event`;

export const sessionsCreate: Subcommand = {
  help: HELP,
  async run(args, context) {
    const { values } = readArguments(
      args,
      HELP,
      {
        agent: { type: 'string' },
        environment: { type: 'string' },
        message: { type: 'string' },
        title: { type: 'string' },
        wait: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
      0,
    );
    const { agent, environment, message, title, wait, json } = values;
    if (agent === undefined) throw wrongUse('--agent is missing.', HELP);
    if (environment === undefined) throw wrongUse('--environment is missing.', HELP);
    if (wait && message === undefined) throw wrongUse('--wait needs --message: nothing would happen.', HELP);
    const api = await context.api();
    const session = await api.beta.sessions.create({
      agent: await findAgentId(api, agent),
      environment_id: await findEnvironmentId(api, environment),
      ...(title === undefined ? {} : { title }),
      ...(message === undefined
        ? {}
        : { initial_events: [{ type: 'user.message', content: [{ type: 'text', text: message }] }] }),
    });
    if (!json) context.out.write(`${session.id}\n`);
    else if (wait) context.out.write(`${JSON.stringify(session)}\n`);
    else printJson(context, session);
    if (!wait) return EXIT.done;
    const events = await openEvents(api, session.id, { ...sourceOptions(context, json), from: 'start' });
    return await showUntilQuiet(context, events, eventPrinter(context, json), createQuiet([], true));
  },
};
