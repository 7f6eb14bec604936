/** `longhand sessions show` */
import type { BetaManagedAgentsSession as Session } from '@anthropic-ai/sdk/resources/beta/sessions';
import { readArguments } from './arguments.ts';
import { EXIT, printJson, type Subcommand } from './context.ts';
import { findSessionId } from './find.ts';
import { type PendingCall, pendingCalls } from './pending.ts';
import { describeCall } from './show-event.ts';
import { localTime, writeFields } from './table.ts';

const HELP = `Usage: longhand sessions show SESSION [--json]

One session: its state, its agent, what it used, and what it waits for.
SESSION is an id, or the beginning or end of one.

  --json   the API's session object`;

export const sessionsShow: Subcommand = {
  help: HELP,
  async run(args, context) {
    const options = { json: { type: 'boolean', default: false } } as const;
    const { values, positionals } = readArguments(args, HELP, options, 1);
    const api = await context.api();
    const id = await findSessionId(api, positionals[0] ?? '');
    const session = await api.beta.sessions.retrieve(id);
    if (values.json) printJson(context, session);
    else {
      const fields = toFields(session);
      const environment = await api.beta.environments.retrieve(session.environment_id).catch(() => undefined);
      if (environment) fields.splice(3, 0, ['environment', `${environment.name}  ${environment.id}`]);
      fields.push(...(await pendingCalls(api, id)).map(toField));
      writeFields(context.out, context.env, fields);
    }
    return EXIT.done;
  },
};

function toFields(session: Session): [string, string][] {
  const { agent, usage, stats } = session;
  const tokens = `${usage.input_tokens ?? 0} in, ${usage.output_tokens ?? 0} out, ${usage.cache_read_input_tokens ?? 0} read from cache`;
  return [
    ['session', session.id],
    ['status', session.archived_at === null ? session.status : `archived ${localTime(session.archived_at)}`],
    ['agent', `${agent.name} v${agent.version}  ${agent.id}  ${agent.model.id}`],
    ...(session.title === null ? [] : [['title', session.title] satisfies [string, string]]),
    ['created', localTime(session.created_at)],
    ['changed', localTime(session.updated_at)],
    ['active', `${Math.round(stats.active_seconds ?? 0)} s`],
    ['tokens', tokens],
    ...Object.entries(session.metadata).map(([key, value]): [string, string] => [`metadata ${key}`, value]),
  ];
}

function toField(call: PendingCall): [string, string] {
  const what = call.type === 'agent.custom_tool_use' ? 'waits for a result' : 'waits for approval';
  return [what, `${call.id}  ${describeCall(call)}`];
}
