/** What checkpoints promise, as tests that any provider must pass. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ContractSubject, shell, signal } from './contract.ts';
import { type Checkpoint, type CheckpointStore, CheckpointTooLargeError, type SandboxLimits } from './hands.ts';
import { folderCheckpoints } from './testing-checkpoints.ts';

type Open = (settings: { checkpoints: CheckpointStore; limits?: Partial<SandboxLimits> }) => Promise<ContractSubject>;

const GIB = 1024 ** 3;

/** @param large - with the cases that move gigabytes. */
export function checkpointContract(open: Open, large: boolean): void {
  let folder: string;
  let checkpoints: CheckpointStore;
  let subject: ContractSubject;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'longhand-checkpoints-'));
    checkpoints = folderCheckpoints(folder);
    subject = await open({ checkpoints });
  });
  afterAll(async () => {
    await subject?.dispose();
    await rm(folder, { recursive: true, force: true });
  }, 60_000);

  const make = (sessionId: string, generation = 1, restore?: Checkpoint) =>
    subject.hands.provision({ sessionId, generation, ...(restore ? { restore } : {}) }, signal);
  /** Runs `before`, moves to the next generation, and returns what `after` prints there. */
  const moved = async (sessionId: string, before: string, after: string, deadlineMs = 60_000) => {
    const one = await make(sessionId);
    expect(await shell(subject.hands, one, before, { deadlineMs })).not.toContain('[exit code');
    const checkpoint = await subject.hands.checkpoint(one);
    if (!checkpoint) throw new Error('Nothing was kept.');
    const two = await make(sessionId, 2, checkpoint);
    const text = await shell(subject.hands, two, after, { deadlineMs });
    await subject.hands.release(two);
    return { checkpoint, lines: text.split('\n').slice(1) };
  };

  test('names may be any bytes; links stay links; holes take no room in it; sockets are left out', async () => {
    const { checkpoint, lines } = await moved(
      'odd-files',
      [
        "printf a > $'\\xff\\xfe bytes'; printf b > $'new\\nline'; printf c > ' -rf *'; printf d > '漢字'",
        'printf e > one; ln one two; ln -s one three; ln -s /nowhere dangling',
        'truncate -s 300M sparse; printf end >> sparse',
        `node -e 'require("net").createServer().listen("socket", () => process.exit())'; mkdir empty`,
      ].join('\n'),
      [
        "cat $'\\xff\\xfe bytes' $'new\\nline' ' -rf *' '漢字'; echo",
        'stat -c %h one; [ one -ef two ] && echo linked; readlink three dangling',
        'stat -c %s sparse; tail -c 3 sparse; echo',
        'ls -d socket empty 2>/dev/null; true',
      ].join('\n'),
    );
    expect(lines).toEqual(['abcd', '2', 'linked', 'one', '/nowhere', '314572803', 'end', 'empty']);
    expect(checkpoint.bytes).toBeLessThan(1024 ** 2);
  }, 90_000);

  test('an archive that tries to climb out of the agent’s folders changes nothing elsewhere', async () => {
    const first = await make('climber');
    await subject.hands.release(first);
    const hostile = Buffer.concat([
      tarEntry('../../../../etc/climbed', 'x'),
      tarEntry('/opt/longhand/climbed', 'x'),
      tarEntry('/var/lib/longhand/climbed', 'x'),
      tarEntry('workspace/way', '', { type: '2', link: '/var/lib/longhand' }),
      tarEntry('workspace/way/climbed', 'x'),
      tarEntry('workspace/fine', 'x'),
      Buffer.alloc(1024),
    ]);
    const stored = await checkpoints.put('climber', Readable.from([zstdCompressSync(hostile)]));
    const restore = { ...stored, takenAt: new Date().toISOString() };
    // It may refuse the archive, or leave out what climbs.
    const made = await make('climber', 2, restore).catch((error: Error) => error);
    if (made instanceof Error) expect(made.message).toMatch(/tar could not restore/);
    else {
      const found = await shell(subject.hands, made, 'find / -name climbed -not -path "/proc/*" 2>/dev/null | sort');
      for (const path of found.split('\n').slice(1).filter(Boolean)) expect(path).toMatch(/^\/workspace\//);
      await subject.hands.release(made);
    }
  }, 60_000);

  test('bytes that are not those that were stored are refused, and nothing half restored is taken for whole', async () => {
    const one = await make('spoilt');
    await shell(subject.hands, one, 'echo text > a');
    const checkpoint = await subject.hands.checkpoint(one);
    if (!checkpoint) throw new Error('Nothing was kept.');
    const spoilt = { ...checkpoint, sha256: randomBytes(32).toString('hex') };
    await expect(make('spoilt', 2, spoilt)).rejects.toThrow(/should have hash/);
    const next = await make('spoilt', 3, checkpoint);
    expect(await shell(subject.hands, next, 'cat a')).toContain('text');
    await subject.hands.release(next);
  }, 60_000);

  test.runIf(large)(
    '100,000 small files come back, each with its content',
    async () => {
      const { lines } = await moved(
        'many',
        `node -e 'const { mkdirSync, writeFileSync } = require("fs");
        for (let d = 0; d < 100; d++) { mkdirSync("d" + d); for (let f = 0; f < 1000; f++) writeFileSync("d" + d + "/" + f, d + " " + f); }'`,
        `node -e 'const { readFileSync, readdirSync } = require("fs"); let right = 0;
        for (const d of readdirSync(".")) for (const f of readdirSync(d)) right += readFileSync(d + "/" + f, "utf8") === d.slice(1) + " " + f;
        console.log(right)'`,
        150_000,
      );
      expect(lines).toEqual(['100000']);
    },
    400_000,
  );

  test.runIf(large)(
    '2 GB in few files come back as they were',
    async () => {
      const sums = 'sha256sum part-* | sha256sum | cut -c1-64';
      const one = await make('large');
      const part = 'head -c 500000000 /dev/urandom';
      const text = await shell(subject.hands, one, `for i in 1 2 3 4; do ${part} > part-$i; done; ${sums}`, {
        deadlineMs: 240_000,
      });
      const checkpoint = await subject.hands.checkpoint(one);
      expect(checkpoint?.bytes).toBeGreaterThan(1.9e9);
      const two = await make('large', 2, checkpoint);
      expect(await shell(subject.hands, two, sums, { deadlineMs: 240_000 })).toContain(text);
      await subject.hands.release(two);
    },
    900_000,
  );

  describe('more than is kept', () => {
    let small: ContractSubject;
    beforeAll(async () => {
      small = await open({ checkpoints, limits: { diskBytes: GIB / 4 } });
    });
    afterAll(async () => await small?.dispose(), 60_000);

    test('is refused with the limit and what to do; the sandbox and its files stay, and less is kept again', async () => {
      const ref = await small.hands.provision({ sessionId: 'too-large', generation: 1 }, signal);
      await shell(small.hands, ref, 'head -c 120M /dev/urandom > big; echo small > file');
      await expect(small.hands.checkpoint(ref)).rejects.toThrow(CheckpointTooLargeError);
      await expect(small.hands.checkpoint(ref)).rejects.toThrow(/take more than 96 MiB .* ~\/\.cache/s);
      expect(await shell(small.hands, ref, 'cat file; mkdir -p ~/.cache; mv big ~/.cache')).toBe('small');
      const checkpoint = await small.hands.checkpoint(ref);
      expect(checkpoint?.bytes).toBeLessThan(1024 ** 2);
      await shell(small.hands, ref, 'truncate -s 1T holes');
      await expect(small.hands.checkpoint(ref)).rejects.toThrow(
        /take more than 256 MiB as files, holes in them included/,
      );
      await small.hands.release(ref);
    }, 120_000);
  });
}

/** One entry of a tar, with the name as it is. */
function tarEntry(name: string, content: string, { type = '0', link = '' } = {}): Buffer {
  const header = Buffer.alloc(512);
  const field = (at: number, text: string) => header.write(text, at, 'latin1');
  const octal = (at: number, length: number, value: number) =>
    field(at, `${value.toString(8).padStart(length - 1, '0')}\0`);
  field(0, name);
  octal(100, 8, 0o644);
  octal(108, 8, 1000);
  octal(116, 8, 1000);
  octal(124, 12, content.length);
  octal(136, 12, 0);
  field(148, '        ');
  field(156, type);
  field(157, link);
  field(257, 'ustar\u000000');
  octal(
    148,
    7,
    header.reduce((sum, byte) => sum + byte, 0),
  );
  return Buffer.concat([header, Buffer.from(content.padEnd(Math.ceil(content.length / 512) * 512, '\0'), 'latin1')]);
}
