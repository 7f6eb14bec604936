/**
 * Records one history per session shape into this folder: `node test/histories/record.ts`. Only when a shape is new, or
 * after a change that old sessions are deliberately not carried over: a recorded history stands for the sessions of
 * people who upgrade in the middle of them.
 */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { sessionWorkflowId } from '../../events/ids.ts';
import type { SessionAgent } from '../../events/wire.ts';
import type { SessionSettings } from '../../workflows/contract.ts';
import { type DirectSession, startDirectSession } from '../support/direct-session.ts';
import { startStack } from '../support/stack.ts';

const policy = (type: 'always_allow' | 'always_ask') => ({ enabled: true, permission_policy: { type } });
const TOOLS = [
  {
    type: 'agent_toolset_20260401',
    default_config: policy('always_allow'),
    configs: [{ name: 'write', ...policy('always_ask') }],
  },
  { type: 'custom', name: 'deploy', description: 'Deploys.', input_schema: { type: 'object' } },
] as unknown as SessionAgent['tools'];

const stack = await startStack({
  hands: true,
  script: {
    rehearsal: 'Shapes',
    turns: [
      { when: 'work', steps: [{ tools: [{ bash: 'echo one' }, { bash: 'echo two' }] }, { text: 'Done.' }] },
      {
        when: 'ask',
        steps: [{ tools: [{ write: { file_path: 'a', content: 'b' } }, { deploy: {} }] }, { text: 'Done.' }],
      },
      { when: 'slow', steps: [{ pace: { chunk_ms: 50, chunk_chars: 4 }, text: 'word '.repeat(300) }] },
      { when: 'hang', steps: [{ tools: [{ bash: 'sleep 60' }] }, { text: 'Done.' }] },
      { when: 'fail', steps: [{ fail: { times: 1, status: 529, type: 'overloaded_error' }, text: 'At last.' }] },
      { when: 'rounds', steps: [{ repeat: 12, tools: [{ bash: 'true' }] }, { text: 'Done.' }] },
    ],
    fallback: { text: 'Yes.' },
  },
});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** What a session of each shape goes through. */
const SHAPES: Record<string, { settings?: Partial<SessionSettings>; play(session: DirectSession): Promise<unknown> }> =
  {
    talk: { play: (session) => session.turn('hello') },
    work: { play: (session) => session.turn('work', 60_000) },
    people: {
      async play(session) {
        const idle = await session.turn('ask', 60_000);
        const [write, deploy] = idle.stop_reason.type === 'requires_action' ? idle.stop_reason.event_ids : [];
        await session.send({ type: 'user.custom_tool_result', custom_tool_use_id: deploy ?? '', content: [] });
        await session.send({ type: 'user.tool_confirmation', tool_use_id: write ?? '', result: 'allow' });
        await session.until((event) => event.type === 'agent.message', { ms: 60_000 });
        await pause(1_000);
      },
    },
    interrupts: {
      async play(session) {
        await session.say('slow');
        await pause(700);
        await session.send({ type: 'user.interrupt' });
        await pause(2_000);
        await session.say('hang');
        await session.until((event) => event.type === 'agent.tool_use', { ms: 60_000 });
        await pause(2_000);
        await session.send(
          { type: 'user.interrupt' },
          { type: 'user.message', content: [{ type: 'text', text: 'and now' }] },
        );
        await pause(4_000);
      },
    },
    failure: { settings: { retryInitialMs: 100 }, play: (session) => session.turn('fail') },
    continued: { settings: { maxRunEvents: 60 }, play: (session) => session.turn('rounds', 60_000) },
    idled: {
      settings: { sandboxIdleMs: 1_500 },
      async play(session) {
        await session.turn('work', 60_000);
        await pause(4_000);
        await session.turn('work', 60_000);
      },
    },
    archived: {
      async play(session) {
        await session.turn('hello');
        await session.ask({ op: 'archive' });
        await pause(1_000);
      },
    },
  };

try {
  for (const [name, shape] of Object.entries(SHAPES)) {
    const session = await startDirectSession(stack, {
      tools: TOOLS,
      ...(shape.settings ? { settings: shape.settings } : {}),
    });
    await shape.play(session);
    // The last publish may still be on its way.
    await pause(500);
    const history = await stack.temporalClient.workflow.getHandle(sessionWorkflowId(session.id)).fetchHistory();
    const path = fileURLToPath(new URL(`./${name}.json`, import.meta.url));
    // The worker's name holds that of the machine.
    await writeFile(
      path,
      `${JSON.stringify(JSON.parse(historyToJSON(history))).replaceAll(/\d+@[\w.-]+/g, '1@recorded')}\n`,
    );
    console.log(`${name}: ${history.events?.length} events`);
  }
} finally {
  await stack.stop();
}
