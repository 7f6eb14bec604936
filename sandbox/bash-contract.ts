/** The promises of {@link Hands} about the `bash` tool, as tests for any provider. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bashCall, type ContractSubject, outcomeText, shell, signal, toolCall } from './contract.ts';
import type { Hands, SandboxRef, ToolCall } from './hands.ts';

export function bashContract(openSubject: () => Promise<ContractSubject>): void {
  let subject: ContractSubject;
  let hands: Hands;
  let ref: SandboxRef;
  const run = (command: string, more: Partial<ToolCall> = {}) => shell(hands, ref, command, more);

  beforeAll(async () => {
    subject = await openSubject();
    hands = subject.hands;
    ref = await hands.provision({ sessionId: 'contractbash', generation: 1 }, signal);
  }, 60_000);
  afterAll(async () => await subject?.dispose(), 60_000);

  test('carries exports and working directory from a command to the next, per thread', async () => {
    await run('mkdir -p sub; cd sub; export COLOUR="a \'b\' $X\n\\"c"; LOCAL=1', { thread: 'carry' });
    expect(await run('pwd; echo "$COLOUR[$LOCAL]"', { thread: 'carry' })).toBe("/workspace/sub\na 'b' \n\"c[]");
    expect(await run('pwd; echo "[$COLOUR]"', { thread: 'other' })).toBe('/workspace\n[]');
    expect(await run('unset COLOUR LANG; cd /tmp; exit 0', { thread: 'carry' })).toBe('[no output]');
    expect(await run('pwd; echo "[$COLOUR$LANG]"', { thread: 'carry' })).toBe('/tmp\n[]');
  });

  test('what cannot be carried over is not told in every later command', async () => {
    expect(await run('export UID SHELLOPTS; echo one', { thread: 'readonly' })).toBe('one');
    expect(await run('echo two', { thread: 'readonly' })).toBe('two');
  });

  test('survives `exit 3`, and says the code', async () => {
    const outcome = await hands.execute(ref, bashCall('echo before; export KEPT=1; exit 3', { thread: 'x' }), signal);
    expect(outcome).toMatchObject({ kind: 'finished', isError: true });
    expect(outcomeText(outcome)).toBe('before\n[exit code 3]');
    expect(await run('echo $KEPT', { thread: 'x' })).toBe('1');
  });

  test.each([
    ['an open quote', 'echo "oops', 'unexpected EOF'],
    ['an open brace', 'if true; then {', 'syntax error'],
    ['`set -eu` and a failure', 'set -eu; false; echo no', '[exit code 1]'],
    ['a missing program', 'no-such-program', 'command not found\n[exit code 127]'],
  ])('answers %s with an error and goes on', async (_name, command, expected) => {
    expect(await run(command)).toContain(expected);
    expect(await run('echo fine')).toBe('fine');
  });

  test('does not wait for a background process, which may go on writing', async () => {
    const began = Date.now();
    const command = '(for i in $(seq 40); do echo tick; sleep 0.05; done; echo end > bg.txt) & echo started';
    expect(await run(command)).toMatch(/^started/);
    expect(Date.now() - began).toBeLessThan(1_900);
    await expect.poll(() => run('cat bg.txt 2>&1'), { timeout: 8_000 }).toBe('end');
  });

  test('gives a command that reads its input an end of file', async () => {
    expect(await run('cat; read x; echo "[$x]"')).toBe('[]');
  });

  test('lets commands open /dev/stdout and /dev/stderr', async () => {
    expect(await run('echo a; echo b > /dev/stderr; echo c | tee /dev/stdout; echo d > /dev/stdout')).toBe(
      'a\nb\nc\nc\nd',
    );
  });

  test('keeps the output of a command that ran out of time, and says that the shell is new', async () => {
    await run('cd /tmp; export GONE=1', { thread: 'slow' });
    const began = Date.now();
    const late = bashCall('echo partial; sleep 60 & sleep 60', { thread: 'slow', deadlineMs: 700 });
    const outcome = await hands.execute(ref, late, signal);
    expect(Date.now() - began).toBeLessThan(5_000);
    expect(outcome).toMatchObject({ isError: true });
    expect(outcomeText(outcome)).toMatch(/^partial\n\[Timed out after 700 ms.*shell is new/);
    expect(await run('pwd; echo "[$GONE]"; pgrep -c sleep', { thread: 'slow' })).toMatch(/^\/workspace\n\[\]\n0/);
  });

  test('ends what ignores SIGTERM or left the process group', async () => {
    const stubborn = 'trap "" TERM; setsid sh -c \'trap "" TERM; sleep 61\' & sleep 62; sleep 63';
    await hands.execute(ref, bashCall(stubborn, { deadlineMs: 400 }), signal);
    expect(await run("pgrep -f 'sleep 6[123]' || echo none")).toContain('none');
  });

  test('runs the calls of one thread in order, and threads side by side', async () => {
    const order = [1, 2, 3].map(async (n) => {
      // In the order in which they come: three workers that take them at the same moment are a race.
      await sleep(n * 60);
      await run(`echo ${n} >> order.txt; sleep 0.3; echo ${n} >> order.txt`);
    });
    await Promise.all(order);
    expect(await run('echo $(cat order.txt)')).toBe('1 1 2 2 3 3');
    const began = Date.now();
    await Promise.all(['a', 'b', 'c', 'd'].map((thread) => run('sleep 1', { thread })));
    expect(Date.now() - began).toBeLessThan(3_000);
  });

  test('counts a deadline from the start of the command, not from its place in the queue', async () => {
    const first = run('sleep 1', { thread: 'queue' });
    const second = run('sleep 0.3; echo ok', { thread: 'queue', deadlineMs: 900 });
    await first;
    expect(await second).toBe('ok');
  });

  test('goes on when the agent has ended every other shell, also one that waits for its command', async () => {
    await run('true');
    await sleep(500);
    const others = 'for p in $(pgrep bash); do [ $p = $BASHPID ] || kill -9 $p; done; echo ended';
    expect(await run(others, { thread: 'killer' })).toBe('ended');
    expect(await run('echo fine', { thread: 'killer' })).toBe('fine');
  });

  test('a command goes on when the agent has ended the shell that began it, and its end is known', async () => {
    const thread = 'orphan';
    expect(await run('kill -9 $$; sleep 0.2; cd /tmp; echo on; exit 3', { thread })).toBe('on\n[exit code 3]');
    expect(await run('pwd', { thread })).toBe('/tmp');
    expect(await run('kill -9 $$; exec sleep 0.2', { thread })).toBe('[Killed by SIGKILL.]');
  });

  test('says of a signal what it says of no exit code', async () => {
    expect(await run('exit 137')).toBe('[exit code 137]');
    expect(await run('kill -9 $BASHPID')).toBe('[Killed by SIGKILL.]');
    expect(await run('exec bash -c "kill -TERM \\$\\$"')).toBe('[Killed by SIGTERM.]');
    // Nobody would ever let it go on.
    expect(await run('kill -STOP $BASHPID; echo never')).toBe('[Killed by SIGSTOP.]');
    expect(await run('pgrep --runstates T . || echo none')).toBe('none');
  });

  test('commands one after another share nothing but exports and working directory', async () => {
    const thread = 'apart';
    await run('a=1; f() { :; }; set -u; shopt -s nullglob; alias x=y; umask 077; trap "echo bye" USR1', { thread });
    const left = 'echo "[$a]"; type f x 2>&1 | wc -l; echo $-; shopt nullglob; umask; trap -p';
    expect(await run(left, { thread })).toMatch(/^\[\]\n2\nhB\nnullglob +\toff\n0022\ntrap -- [^\n]*EXIT$/);
  });

  test('counts $SECONDS from the start of the command, however long its shell has waited', async () => {
    await run('true');
    await sleep(1_500);
    expect(await run('echo $SECONDS')).toBe('0');
  });

  test('restarts its shell on request', async () => {
    await run('export A=1; cd /tmp', { thread: 'restart' });
    const restart = toolCall({ thread: 'restart', input: { restart: true } });
    expect(outcomeText(await hands.execute(ref, restart, signal))).toContain('new');
    expect(await run('pwd; echo "[$A]"', { thread: 'restart' })).toBe('/workspace\n[]');
  });

  test('goes on in /workspace when the working directory was removed', async () => {
    await run('mkdir -p gone; cd gone', { thread: 'gone' });
    await run('rm -r /workspace/gone', { thread: 'y' });
    expect(await run('pwd', { thread: 'gone' })).toMatch(/is gone[\s\S]*\n\/workspace$/);
  });

  test('shows head and tail of a long output, and where the whole of it is', async () => {
    const text = await run('echo FIRST; for i in $(seq 60000); do echo 字字字字字; done; echo LAST');
    expect(text.length).toBeLessThanOrEqual(100_000);
    expect(text).toMatch(/^FIRST\n/);
    expect(text).toMatch(/LAST$/);
    const path = /in (\/\S+\.txt)/.exec(text)?.[1];
    expect(await run(`wc -l < ${path}; head -1 ${path}; tail -1 ${path}`)).toBe('60002\nFIRST\nLAST');
  }, 20_000);
}
