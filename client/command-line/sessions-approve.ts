/** `longhand sessions approve` */
import type Anthropic from '@anthropic-ai/sdk';
import { readArguments, wrongUse } from './arguments.ts';
import { CommandError, EXIT, printJson, type Subcommand } from './context.ts';
import { findSessionId, onlyOne } from './find.ts';
import { sendAndFollow } from './follow.ts';
import { type PendingCall, pendingCalls } from './pending.ts';
import { printableLine } from './printable.ts';
import { describeCall } from './show-event.ts';

const HELP = `Usage: longhand sessions approve SESSION [TOOL-USE] [options]

Lets a tool call run that waits for approval. TOOL-USE may be left out when one call waits; when several do, they are
listed. SESSION and TOOL-USE are ids, or the beginning or end of one.

  --all          all calls that wait
  --deny WHY     do not let it run; the agent is told why
  --wait         show what the session does until it is idle again
  --json         the API's answer; with --wait one event a line`;

export const sessionsApprove: Subcommand = {
  help: HELP,
  async run(args, context) {
    const { values, positionals } = readArguments(
      args,
      HELP,
      {
        all: { type: 'boolean', default: false },
        deny: { type: 'string' },
        wait: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
      1,
      2,
    );
    const [session = '', toolUse] = positionals;
    if (values.all && toolUse !== undefined) throw wrongUse('Give a TOOL-USE or --all, not both.', HELP);
    const api = await context.api();
    const id = await findSessionId(api, session);
    const waiting = await asking(api, id);
    const calls = choose(waiting, toolUse, values.all);
    const answer =
      values.deny === undefined
        ? { result: 'allow' as const }
        : { result: 'deny' as const, ...(values.deny === '' ? {} : { deny_message: values.deny }) };
    const send = () =>
      api.beta.sessions.events.send(id, {
        events: calls.map((call) => ({ type: 'user.tool_confirmation' as const, tool_use_id: call.id, ...answer })),
      });
    if (values.wait) {
      return await sendAndFollow(
        context,
        api,
        id,
        values.json,
        async () => {
          const { data } = await send();
          if (!data || data.length === 0) throw new CommandError('Somebody else has answered meanwhile.');
          return data.map((event) => event.id);
        },
        waiting,
      );
    }
    const sent = await send();
    if (values.json) printJson(context, sent);
    else
      for (const call of calls)
        context.out.write(`${answer.result === 'allow' ? 'allowed' : 'denied '}  ${line(call)}\n`);
    return EXIT.done;
  },
};

/** @throws CommandError when nothing waits for an approval. */
async function asking(api: Anthropic, sessionId: string): Promise<PendingCall[]> {
  const pending = await pendingCalls(api, sessionId);
  const calls = pending.filter((call) => call.type !== 'agent.custom_tool_use');
  if (calls.length > 0) return calls;
  const custom = pending.length > 0 ? ' It waits for results of custom tools, which its client gives.' : '';
  throw new CommandError(`No call of ${sessionId} waits for approval.${custom}`);
}

function choose(calls: PendingCall[], toolUse: string | undefined, all: boolean): PendingCall[] {
  if (all) return calls;
  if (toolUse !== undefined) {
    const ids = calls.map((call) => call.id);
    const chosen = onlyOne(ids, toolUse, 'waiting call', `; these wait: ${ids.join(', ')}`);
    return calls.filter((call) => call.id === chosen);
  }
  if (calls.length === 1) return calls;
  throw new CommandError(
    `${calls.length} calls wait for approval. Give the id of one, or --all:\n${list(calls)}`,
    EXIT.usedWrongly,
  );
}

function list(calls: PendingCall[]): string {
  return calls.map((call) => `  ${line(call)}`).join('\n');
}

function line(call: PendingCall): string {
  return `${call.id}  ${printableLine(describeCall(call))}`;
}
