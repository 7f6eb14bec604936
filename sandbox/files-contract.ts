/** The promises of {@link Hands} about files that come from outside and files that go out, as tests for any provider. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ContractSubject, shell, signal } from './contract.ts';
import { type Hands, type InputFile, SandboxFullError, type SandboxRef } from './hands.ts';

export function filesContract(openSubject: () => Promise<ContractSubject>): void {
  let subject: ContractSubject;
  let hands: Hands;
  let ref: SandboxRef;
  const run = async (command: string) => (await shell(hands, ref, command)).trimEnd();

  beforeAll(async () => {
    subject = await openSubject();
    hands = subject.hands;
    ref = await hands.provision({ sessionId: 'contractfiles', generation: 1, skills: true }, signal);
  }, 60_000);
  afterAll(async () => await subject?.dispose(), 60_000);

  const file = (path: string, content: string, executable?: true): [InputFile, string] => {
    const sha256 = createHash('sha256').update(content).digest('hex');
    return [{ path, sha256, bytes: content.length, ...(executable ? { executable } : {}) }, content];
  };
  const opened: string[] = [];
  const place = async (...files: [InputFile, string][]) => {
    opened.length = 0;
    await hands.placeInputs(
      ref,
      files.map(([one]) => one),
      async ({ path }) => {
        opened.push(path);
        return Readable.from([Buffer.from(files.find(([one]) => one.path === path)?.[1] ?? '')]);
      },
    );
  };

  describe('read-only files', () => {
    const data = file('/mnt/session/uploads/deep/er/data.csv', 'a,b\n1,2\n');
    const skill = file('/workspace/skills/greeting/SKILL.md', '---\nname: greeting\n---\n');
    const script = file('/workspace/skills/greeting/run.sh', '#!/bin/sh\necho hello\n', true);

    test('are there whole, and are the agent’s to read and to run', async () => {
      await place(data, skill, script);
      expect(await run('cat /mnt/session/uploads/deep/er/data.csv; /workspace/skills/greeting/run.sh')).toBe(
        'a,b\n1,2\nhello',
      );
    });

    test('are not the agent’s to change, remove or replace, nor are the folders that they lie in', async () => {
      const tries = [
        'echo x >> /mnt/session/uploads/deep/er/data.csv',
        'echo x > /mnt/session/uploads/new',
        'rm -f /mnt/session/uploads/deep/er/data.csv',
        'chmod 777 /mnt/session/uploads/deep/er/data.csv',
        'mv /mnt/session/uploads /mnt/session/other',
        'mv /workspace/skills /workspace/other',
        'rmdir /workspace/skills; rm -rf /workspace/skills',
        'echo x >> /workspace/skills/greeting/SKILL.md',
        'mkdir /workspace/skills/own',
        'ln -s /etc/passwd /mnt/session/uploads/link',
      ];
      for (const command of tries) expect(await run(`(${command}) 2>/dev/null && echo done || echo no`)).toBe('no');
      expect(await run('cat /mnt/session/uploads/deep/er/data.csv; ls /workspace/skills/greeting')).toBe(
        'a,b\n1,2\nSKILL.md\nrun.sh',
      );
    });

    test('are brought in once: what is there is not sent again, what is not wanted any more goes', async () => {
      const more = file('/mnt/session/uploads/more', 'more');
      await place(data, more);
      expect(opened).toEqual(['/mnt/session/uploads/more']);
      expect(await run('ls /workspace/skills; ls /mnt/session/uploads')).toBe('deep\nmore');
      await place(file('/mnt/session/uploads/deep', 'a file now'));
      expect(await run('ls -A /mnt/session/uploads; cat /mnt/session/uploads/deep')).toBe('deep\na file now');
    });

    test('that came damaged are refused, and the file that was there stays', async () => {
      const path = '/mnt/session/uploads/deep';
      const wrong: InputFile = { path, sha256: '0'.repeat(64), bytes: 3 };
      await expect(hands.placeInputs(ref, [wrong], async () => Readable.from(['abc']))).rejects.toThrow('with hash');
      expect(await run('ls -A /mnt/session/uploads; cat /mnt/session/uploads/deep')).toBe('deep\na file now');
    });

    test('that would lie elsewhere, or in one another’s way, are refused for good', async () => {
      for (const path of ['/etc/passwd', '/mnt/session/uploads/../x', '/workspace/x', '/mnt/session/uploads']) {
        await expect(place(file(path, 'x'))).rejects.toBeInstanceOf(SandboxFullError);
      }
      await expect(
        place(file('/mnt/session/uploads/a', 'x'), file('/mnt/session/uploads/a/b', 'y')),
      ).rejects.toBeInstanceOf(SandboxFullError);
    });

    test('are not part of a checkpoint, and a folder of skills is no part of one either', async () => {
      await place(data, skill);
      await run('echo mine > /workspace/mine; echo out > /mnt/session/outputs/out');
      const restore = await hands.checkpoint(ref);
      if (!restore) throw new Error('There was nothing to save.');
      ref = await hands.provision({ sessionId: 'contractfiles', generation: 2, skills: true, restore }, signal);
      expect(await run('cat /workspace/mine; find /workspace/skills /mnt/session/uploads -type f')).toMatch(/\nmine$/);
      await place(data, skill);
      expect(await run('cat /mnt/session/uploads/deep/er/data.csv; ls /workspace/skills')).toBe('a,b\n1,2\ngreeting');
    }, 30_000);
  });
}
