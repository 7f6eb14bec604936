/** `longhand sessions list` */
import type { BetaManagedAgentsSession as Session } from '@anthropic-ai/sdk/resources/beta/sessions';
import { readArguments, wholeNumber, wrongUse } from './arguments.ts';
import { EXIT, printJson, type Subcommand } from './context.ts';
import { findAgentId } from './find.ts';
import { localTime, writeTable } from './table.ts';

const HELP = `Usage: longhand sessions list [options]

The newest sessions first.

  --status STATUS   only these: idle, running, rescheduling, terminated (may be repeated)
  --agent AGENT     only those of an agent, by name or id
  --limit N         at most so many (default 20)
  --archived        archived sessions too
  --json            the API's session objects, as one JSON array`;

const STATUSES = ['idle', 'running', 'rescheduling', 'terminated'] as const;
type Status = (typeof STATUSES)[number];

export const sessionsList: Subcommand = {
  help: HELP,
  async run(args, context) {
    const { values } = readArguments(
      args,
      HELP,
      {
        status: { type: 'string', multiple: true, default: [] },
        agent: { type: 'string' },
        limit: { type: 'string', default: '20' },
        archived: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
      0,
    );
    const statuses = values.status.map(statusOf);
    const limit = wholeNumber(values.limit, '--limit', 1, 10_000, HELP);
    const api = await context.api();
    const query = {
      limit: Math.min(limit, 100),
      ...(statuses.length > 0 ? { statuses } : {}),
      ...(values.agent === undefined ? {} : { agent_id: await findAgentId(api, values.agent) }),
      ...(values.archived ? { include_archived: true } : {}),
    };
    const sessions: Session[] = [];
    for await (const session of api.beta.sessions.list(query)) {
      sessions.push(session);
      if (sessions.length === limit) break;
    }
    if (values.json) printJson(context, sessions);
    else if (sessions.length === 0) context.err.write('There are no such sessions.\n');
    else writeTable(context.out, context.env, ['SESSION', 'STATUS', 'AGENT', 'CREATED', 'TITLE'], sessions.map(toRow));
    return EXIT.done;
  },
};

function statusOf(text: string): Status {
  const status = STATUSES.find((known) => known === text);
  if (status === undefined) throw wrongUse(`--status is "${text}". Give one of ${STATUSES.join(', ')}.`, HELP);
  return status;
}

function toRow({ id, status, archived_at, agent, created_at, title }: Session): string[] {
  const state = archived_at === null ? status : 'archived';
  return [id, state, `${agent.name} v${agent.version}`, localTime(created_at), title ?? ''];
}
