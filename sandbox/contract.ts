/**
 * The promises of the {@link Hands} interface as tests. Any provider runs them:
 * `describe('gvisor', () => handsContract(() => openTestHands()))`.
 */
import { randomUUID } from 'node:crypto';
import { text as textOf } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CallOutcome, Hands, SandboxRef, ToolCall } from './hands.ts';

export interface ContractSubject {
  hands: Hands;
  /** Other hands on the same sandboxes, as a worker has them that was started after a crash. */
  reopen(): Promise<Hands>;
  /** Ends a sandbox from outside, without a word. */
  crash(ref: SandboxRef): Promise<void>;
  /** Ends and removes everything. */
  dispose(): Promise<void>;
}

/** Never aborted. */
export const signal = new AbortController().signal;

/** A call with what a test does not care about filled in. */
export function toolCall(call: Partial<ToolCall>): ToolCall {
  return {
    id: `call_${randomUUID()}`,
    thread: 'main',
    name: 'bash',
    input: {},
    deadlineMs: 20_000,
    attempt: 1,
    ...call,
  };
}

export function bashCall(command: string, more: Partial<ToolCall> = {}): ToolCall {
  return toolCall({ input: { command }, ...more });
}

/** The text of a finished call. */
export function outcomeText(outcome: CallOutcome): string {
  if (outcome.kind !== 'finished') throw new Error(`The call ended as ${JSON.stringify(outcome)}.`);
  return outcome.content.map((block) => (block.type === 'text' ? block.text : `<${block.type}>`)).join('\n');
}

/** Runs a command and returns its text; `[exit code N]` is part of it. */
export async function shell(hands: Hands, ref: SandboxRef, command: string, more: Partial<ToolCall> = {}) {
  return outcomeText(await hands.execute(ref, bashCall(command, more), signal));
}

export function handsContract(openSubject: () => Promise<ContractSubject>): void {
  let subject: ContractSubject;
  let hands: Hands;
  /** Shared by the tests that leave it as good as they found it. */
  let ref: SandboxRef;
  const run = (command: string, more: Partial<ToolCall> = {}) => shell(hands, ref, command, more);

  beforeAll(async () => {
    subject = await openSubject();
    hands = subject.hands;
    ref = await hands.provision({ sessionId: 'contract', generation: 1 }, signal);
  }, 60_000);
  afterAll(async () => await subject?.dispose(), 60_000);

  describe('a call', () => {
    test('runs once, however often it is asked for', async () => {
      const call = bashCall('echo run >> once.txt; wc -l < once.txt');
      const first = await hands.execute(ref, call, signal);
      const again = await Promise.all([1, 2, 3].map(() => hands.execute(ref, call, signal)));
      expect(outcomeText(first)).toBe('1');
      for (const outcome of again) expect(outcome).toEqual(first);
    });

    test('asked for twice at the same time runs once', async () => {
      const call = bashCall('sleep 0.3; echo run >> both.txt; wc -l < both.txt');
      const both = await Promise.all([hands.execute(ref, call, signal), hands.execute(ref, call, signal)]);
      expect(both.map(outcomeText)).toEqual(['1', '1']);
    });

    test('goes on when its worker dies, and the next worker gets its result', async () => {
      const worker = await subject.reopen();
      const call = bashCall('sleep 1; echo run >> worker.txt; wc -l < worker.txt');
      const abandoned = worker.execute(ref, call, signal).catch((error: Error) => error);
      await sleep(300);
      await worker.close();
      expect(await abandoned).toBeInstanceOf(Error);
      const next = await subject.reopen();
      expect(outcomeText(await next.execute(ref, call, signal))).toBe('1');
      await next.close();
    });

    test('whose result was recorded is answered by a later worker too', async () => {
      const call = bashCall('date +%N');
      const first = await hands.execute(ref, call, signal);
      const next = await subject.reopen();
      expect(await next.execute(ref, call, signal)).toEqual(first);
      await next.close();
    });

    test('goes on when the one who waits for it gives up', async () => {
      const abort = new AbortController();
      const call = bashCall('sleep 0.6; echo done');
      const waiting = hands.execute(ref, call, abort.signal);
      await sleep(100);
      abort.abort();
      await expect(waiting).rejects.toThrow();
      expect(outcomeText(await hands.execute(ref, call, signal))).toBe('done');
    });

    test('with the id of another call is refused', async () => {
      const call = bashCall('echo one');
      await hands.execute(ref, call, signal);
      await expect(hands.execute(ref, { ...call, input: { command: 'echo two' } }, signal)).rejects.toThrow(
        'another input',
      );
    });

    test('of a tool that does not exist is an error result', async () => {
      expect(await hands.execute(ref, toolCall({ name: 'teleport' }), signal)).toMatchObject({ isError: true });
    });
  });

  describe('stopping', () => {
    test('ends a running call at once and records it as interrupted', async () => {
      const call = bashCall('echo begun; sleep 60', { thread: 'stop' });
      const running = hands.execute(ref, call, signal);
      await sleep(500);
      const began = Date.now();
      await hands.stopCalls(ref, 'stop');
      const outcome = await running;
      expect(Date.now() - began).toBeLessThan(2_500);
      expect(outcomeText(outcome)).toMatch(/^begun\n\[Interrupted/);
      expect(await hands.execute(ref, call, signal)).toEqual(outcome);
    });

    test('reaches calls that wait, and one that has not come yet; other threads go on', async () => {
      const other = run('sleep 0.8; echo on', { thread: 'bystander' });
      const running = run('sleep 60', { thread: 'stop2' });
      const waiting = run('touch stopped-ran', { thread: 'stop2' });
      const late = bashCall('touch stopped-ran', { thread: 'stop2' });
      await sleep(300);
      await hands.stopCalls(ref, 'stop2');
      await hands.stopCalls(ref, 'stop2', [late.id]);
      expect(await running).toContain('Interrupted');
      expect(await waiting).toContain('had not started');
      expect(outcomeText(await hands.execute(ref, late, signal))).toContain('had not started');
      expect(await other).toBe('on');
      expect(await run('ls stopped-ran 2>&1 | tail -1')).toContain('No such file');
    });
  });

  describe('file tools', () => {
    const use = (name: string, input: Record<string, unknown>) => hands.execute(ref, toolCall({ name, input }), signal);

    test('write, read, edit, glob and grep work on the same files as bash, as the same user', async () => {
      await use('write', { file_path: 'dir/a.txt', content: 'one\ntwo\n' });
      expect(outcomeText(await use('read', { file_path: '/workspace/dir/a.txt' }))).toBe('one\ntwo\n');
      await use('edit', { file_path: 'dir/a.txt', old_string: 'two', new_string: 'three' });
      expect(outcomeText(await use('glob', { pattern: 'dir/**' }))).toBe('/workspace/dir/a.txt');
      expect(outcomeText(await use('grep', { pattern: 'thr', path: 'dir' }))).toBe('/workspace/dir/a.txt:2:three');
      expect(await run('cat dir/a.txt; stat -c %U dir/a.txt')).toBe('one\nthree\nagent');
      expect(await use('read', { file_path: 'missing' })).toMatchObject({ isError: true });
    });

    test('read shows images and PDFs, whatever they are called', async () => {
      const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
      await run(`echo ${png} | base64 -d > picture.txt; printf '%%PDF-1.4\\nhello' > paper`);
      expect(await use('read', { file_path: 'picture.txt' })).toMatchObject({
        content: [{ type: 'image', source: { type: 'base64', media_type: 'image/png', data: png } }],
      });
      expect(await use('read', { file_path: 'paper' })).toMatchObject({
        content: [{ type: 'document', source: { type: 'base64', media_type: 'application/pdf' } }],
      });
    });

    test('reading a named pipe or a folder is an error, not a hang', async () => {
      await run('mkfifo -m 666 pipe');
      expect(await use('read', { file_path: 'pipe' })).toMatchObject({ isError: true });
      expect(await use('read', { file_path: '/tmp' })).toMatchObject({ isError: true });
    });

    test('are there again after the agent killed their process', async () => {
      await use('glob', { pattern: '*' });
      await run('pkill -9 node; true');
      expect(outcomeText(await use('write', { file_path: 'again.txt', content: 'x' }))).toContain('again.txt');
    });
  });

  describe('files', () => {
    test('are listed and brought out', async () => {
      await run('mkdir -p out; seq 300000 > out/numbers; ln -s numbers out/link; ln -s /etc/passwd out/p');
      const files = await hands.listFiles(ref, '/workspace/out');
      expect(files.map(({ path, type }) => [path, type])).toEqual([
        ['/workspace/out/link', 'symlink'],
        ['/workspace/out/numbers', 'file'],
        ['/workspace/out/p', 'symlink'],
      ]);
      const text = await textOf(await hands.readFile(ref, '/workspace/out/numbers'));
      expect(text.length).toBe(files[1]?.bytes);
      expect(text.endsWith('300000\n')).toBe(true);
    });

    test('that are missing, folders or the server’s own are refused', async () => {
      await expect(hands.readFile(ref, '/workspace/nope')).rejects.toThrow('no such file');
      await expect(hands.readFile(ref, '/workspace')).rejects.toThrow('not a regular file');
      await expect(hands.listFiles(ref, '/root')).resolves.toEqual([]);
    });
  });

  describe('generations', () => {
    test('provisioning again, or twice at once, returns the same sandbox', async () => {
      const spec = { sessionId: 'contract', generation: 1 };
      const refs = await Promise.all([hands.provision(spec, signal), hands.provision(spec, signal)]);
      expect(refs).toEqual([ref, ref]);
    });

    test('a checkpoint brings files, modes and links into the next generation, and the old one is gone', async () => {
      const old = await hands.provision({ sessionId: 'moving', generation: 1 }, signal);
      const inOld = (command: string) => shell(hands, old, command);
      await inOld('echo text > a; chmod 750 a; ln -s a b; mkdir -p .d/e ~/.cache /mnt/session/outputs; echo h > ~/h');
      await inOld('echo c > ~/.cache/c; echo r > /mnt/session/outputs/r; export V=1; echo s > secret; chmod 0 secret');
      const checkpoint = await hands.checkpoint(old);
      expect(await hands.checkpoint(old, checkpoint?.sha256)).toBeUndefined();
      const unsent = bashCall('true');
      const sent = bashCall('echo sent');
      await hands.execute(old, sent, signal);

      const next = await hands.provision({ sessionId: 'moving', generation: 2, restore: checkpoint }, signal);
      const text = await shell(hands, next, 'stat -c "%a %U" a; cat b ~/h /mnt/session/outputs/r; ls -A ~; echo [$V]');
      expect(text).toMatch(/^\[The sandbox was made anew with the files as of \d{4}-.*shell is new/);
      expect(text.split('\n').slice(1)).toEqual(['750 agent', 'text', 'h', 'r', 'h', '[]']);
      expect(await shell(hands, next, 'chmod 600 secret; cat secret')).toBe('s');
      expect(await hands.execute(old, sent, signal)).toMatchObject({ kind: 'lost', started: 'maybe' });
      expect(await hands.execute(old, unsent, signal)).toMatchObject({ kind: 'lost', started: 'no' });
      expect((await hands.checkpoint(next, checkpoint?.sha256))?.sha256).not.toBe(checkpoint?.sha256);
      await hands.release(next);
    }, 30_000);

    test('a sandbox that dies is `lost`, at once, and the next generation works', async () => {
      const one = await hands.provision({ sessionId: 'dying', generation: 1 }, signal);
      const running = hands.execute(one, bashCall('sleep 60', { deadlineMs: 90_000 }), signal);
      await sleep(600);
      const began = Date.now();
      await subject.crash(one);
      expect(await running).toMatchObject({ kind: 'lost', started: 'maybe' });
      expect(Date.now() - began).toBeLessThan(5_000);
      expect(await hands.execute(one, bashCall('true'), signal)).toMatchObject({ kind: 'lost', started: 'no' });
      expect(await hands.provision({ sessionId: 'dying', generation: 1 }, signal)).toEqual(one);
      const two = await hands.provision({ sessionId: 'dying', generation: 2 }, signal);
      expect(await shell(hands, two, 'echo alive')).toContain('alive');
      await hands.release(two);
    }, 30_000);

    test('a released sandbox is gone, and releasing it again is no error', async () => {
      const one = await hands.provision({ sessionId: 'released', generation: 1 }, signal);
      await hands.release(one);
      await hands.release(one);
      expect(await hands.execute(one, bashCall('true'), signal)).toMatchObject({ kind: 'lost' });
      await expect(hands.checkpoint(one)).rejects.toThrow('is gone');
    }, 20_000);

    test('a provision that is given up leaves nothing behind that the next one trips over', async () => {
      const abort = new AbortController();
      const given = hands.provision({ sessionId: 'hasty', generation: 1 }, abort.signal);
      abort.abort();
      await expect(given).rejects.toThrow();
      const one = await hands.provision({ sessionId: 'hasty', generation: 1 }, signal);
      expect(await shell(hands, one, 'echo ok')).toBe('ok');
      await hands.release(one);
    }, 20_000);
  });
}
