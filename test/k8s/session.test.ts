/** Sessions whose hands are pods of a real cluster, and what becomes of them when workers and pods die. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sessionWorkflowId } from '../../events/ids.ts';
import type { SessionAgent, SessionEvent } from '../../events/wire.ts';
import { clusterMissing } from '../../sandbox/kubernetes/testing.ts';
import { SANDBOX_QUERY, type SandboxPlace } from '../../workflows/contract.ts';
import { startDirectSession } from '../support/direct-session.ts';
import { loseSandbox } from '../support/pods.ts';
import { type Stack, startStack } from '../support/stack.ts';

const missing = clusterMissing();
const bash = (command: string) => ({ bash: { command } });

const TOOLS: SessionAgent['tools'] = [
  {
    type: 'agent_toolset_20260401',
    default_config: { enabled: true, permission_policy: { type: 'always_allow' } },
    configs: [],
  } as unknown as SessionAgent['tools'][number],
];

describe.skipIf(missing)(`sessions on Kubernetes${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack({
      hands: 'kubernetes',
      script: {
        rehearsal: 'Work for hands that are pods',
        turns: [
          { when: 'greet', steps: [{ tools: [bash('echo hello from $PWD as $(id -u)')] }, { text: 'Done.' }] },
          { when: 'keep this', steps: [{ tools: [bash('echo precious > kept')] }, { text: 'Kept.' }] },
          { when: 'show what was kept', steps: [{ tools: [bash('cat kept')] }, { text: 'Shown.' }] },
          {
            when: 'slow line',
            steps: [{ tools: [bash('sleep 4; echo line >> journal; wc -l < journal')] }, { text: 'Done.' }],
          },
          { when: 'count lines', steps: [{ tools: [bash('wc -l < journal')] }, { text: 'Counted.' }] },
          { when: 'sleep long', steps: [{ tools: [bash('echo begun; sleep 300')] }, { text: 'Done.' }] },
          { when: 'end it all', steps: [{ tools: [bash('kill -9 1; sleep 1')] }, { text: 'Oh.' }] },
        ],
      },
    });
  }, 600_000);
  afterAll(() => stack?.stop(), 60_000);

  const start = () => startDirectSession(stack, { tools: TOOLS });
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  const results = (events: SessionEvent[]) =>
    events.flatMap((event) => (event.type === 'agent.tool_result' ? [event] : []));
  const textOf = (event: SessionEvent | undefined) => JSON.stringify(event ?? null);
  const podOf = async (sessionId: string) => {
    const handle = stack.temporalClient.workflow.getHandle(sessionWorkflowId(sessionId));
    return (await handle.query<SandboxPlace>(SANDBOX_QUERY)).ref?.id ?? '';
  };

  test('a command runs in a pod, as nobody in particular', async () => {
    const session = await start();
    expect((await session.turn('greet', 60_000)).stop_reason.type).toBe('end_turn');
    expect(textOf(results(await session.events())[0])).toContain('hello from /workspace as 1000');
  }, 90_000);

  test.each(['hands', 'both'])(
    'SIGKILL of %s in the middle of a command: the session ends by itself and the line is there once',
    async (who) => {
      const session = await start();
      await session.say('slow line');
      await session.until((event) => event.type === 'agent.tool_use', { ms: 60_000 });
      await pause(2_500);
      const victims = who === 'both' ? [stack.brain, stack.hands] : [stack.hands];
      for (const victim of victims) await victim.kill();
      for (const victim of victims) await victim.start();
      await session.until((event) => event.type === 'session.status_idle', { ms: 90_000 });
      const [result] = results(await session.events());
      expect(textOf(result)).toContain('1');
      expect(result?.is_error).toBe(false);
      const from = (await session.events()).length;
      await session.turn('count lines', 60_000);
      expect(textOf(results((await session.events()).slice(from)).at(-1))).toMatch(/"1\\?n?/);
    },
    240_000,
  );

  test('an interrupt stops a running command within seconds', async () => {
    const session = await start();
    await session.say('sleep long');
    await session.until((event) => event.type === 'agent.tool_use', { ms: 60_000 });
    await pause(4_000);
    const asked = Date.now();
    await session.send({ type: 'user.interrupt' });
    await session.until((event) => event.type === 'session.status_idle');
    expect(Date.now() - asked).toBeLessThan(5_000);
    expect(textOf(results(await session.events())[0])).toMatch(/interrupt/i);
  }, 90_000);

  test('an agent that ends its shell’s first process can go on', async () => {
    const session = await start();
    await session.turn('end it all', 90_000);
    await session.turn('greet', 90_000);
    expect(textOf(results(await session.events()).at(-1))).toContain('hello from');
  }, 200_000);

  test('a pod that is lost in a command is an error that says so, and the files are back as of the last turn', async () => {
    const session = await start();
    await session.turn('keep this', 60_000);
    // The turn's checkpoint is taken beside the next one.
    await pause(3_000);
    await session.say('sleep long');
    await session.until((event) => event.type === 'agent.tool_use' && JSON.stringify(event).includes('sleep 300'));
    await pause(2_000);
    await loseSandbox(await podOf(session.id));
    await session.until((event) => event.type === 'agent.tool_result' && event.is_error === true, { ms: 60_000 });
    const lost = textOf(results(await session.events()).at(-1));
    expect(lost).toContain('cannot be known');
    expect(lost).toContain('restored as of');
    await session.until((event) => event.type === 'agent.message' && JSON.stringify(event).includes('Done.'));
    await pause(1_000);
    await session.turn('show what was kept', 90_000);
    expect(textOf(results(await session.events()).at(-1))).toContain('precious');
  }, 200_000);
});
