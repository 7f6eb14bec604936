/** What a command in a sandbox cannot see, reach or change. Tested from inside, as the agent and as the tool server. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { homedir, networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bashCall, outcomeText, shell, signal } from '../contract.ts';
import type { SandboxRef } from '../hands.ts';
import { preparePlaces } from './places.ts';
import { type GvisorSubject, openTestHands } from './testing.ts';

const canary = `lh-canary-${randomBytes(6).toString('hex')}`;
const folders = [
  homedir(),
  tmpdir(),
  ...(process.getuid?.() === 0 ? ['/usr/local/share', '/usr/local/bin', '/var/tmp'] : []),
];
let subject: GvisorSubject;
let ref: SandboxRef;
const run = (command: string) => shell(subject.hands, ref, command);

beforeAll(async () => {
  process.env.LONGHAND_TEST_CANARY = canary;
  for (const folder of folders) {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, canary), canary);
  }
  subject = await openTestHands();
  ref = await subject.hands.provision({ sessionId: 'isolation', generation: 1 }, signal);
}, 60_000);

afterAll(async () => {
  for (const folder of folders) await rm(join(folder, canary), { force: true });
  await subject?.dispose();
}, 30_000);

describe('of the host, a sandbox does not see', () => {
  test('the environment of the hands', async () => {
    expect(await run('env; cat /proc/*/environ 2>/dev/null | tr "\\0" "\\n"')).not.toContain(canary);
    expect(await subject.insideAsRoot(ref, 'cat /proc/*/environ | tr "\\0" "\\n"; echo end')).not.toContain(canary);
    expect(await subject.insideAsRoot(ref, 'cat /proc/1/environ | tr "\\0" "\\n" | cut -d= -f1 | sort')).toBe(
      'HOME\nLANG\nNODE_OPTIONS\nPATH\n',
    );
  });

  test('files of /usr/local, home, /tmp and /var/tmp, not even as the tool server', async () => {
    const find = `find / \\( -path /proc -o -path /sys -o -path /usr/share \\) -prune -o -name '${canary}*' -print`;
    expect(await subject.insideAsRoot(ref, `${find}; ls /usr/local /usr/src /usr/etc`)).not.toContain(canary);
    expect(await run('find /usr/local | sort')).toBe('/usr/local\n/usr/local/bin\n/usr/local/bin/node');
    expect(await run('ls /usr/src /usr/etc 2>&1; cat /etc/shadow 2>&1; wc -l < /etc/passwd')).toMatch(
      /No such file[\s\S]*No such file[\s\S]*No such file[\s\S]*3$/,
    );
  }, 60_000);

  test('its processes, its name and its users', async () => {
    expect(await run('cat /proc/*/cmdline | tr "\\0" " "')).not.toMatch(/vitest|runsc/);
    expect(await run('hostname; whoami')).toBe('sandbox\nagent');
    expect(await run(`kill -0 ${process.pid} 2>&1`)).toContain('[exit code');
  });
});

describe('a sandbox does not reach', () => {
  let tcp: Server;
  let abstract: Server;
  const connections: string[] = [];
  beforeAll(async () => {
    tcp = createServer(() => connections.push('tcp')).listen(0, '0.0.0.0');
    abstract = createServer(() => connections.push('abstract')).listen(`\0${canary}`);
    await Promise.all([once(tcp, 'listening'), once(abstract, 'listening')]);
  });
  afterAll(() => {
    tcp.close();
    abstract.close();
  });

  test('any network: loopback, the host, the metadata address, the world', async () => {
    const address = tcp.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const own = Object.values(networkInterfaces()).flatMap(
      (list) => list?.filter((one) => one.family === 'IPv4') ?? [],
    );
    const targets = [
      ...['127.0.0.1', ...own.map((one) => one.address)].map((host) => `${host} ${port}`),
      ...['169.254.169.254 80', '1.1.1.1 443', '10.0.0.1 22', '::1 22'],
    ];
    const script = targets.map((target) => {
      const [host, at] = target.split(' ');
      return `timeout 2 bash -c 'exec 3<>/dev/tcp/${host}/${at}' 2>/dev/null && echo "REACHED ${target}"`;
    });
    expect(await run(`${script.join('\n')}\necho done`)).toBe('done');
    expect(connections).toEqual([]);
  }, 30_000);

  test('sockets of the host: abstract ones, others’ files, or its own door as the agent', async () => {
    const connect = (path: string) =>
      `node -e 'require("net").connect(${path}).on("connect",()=>console.log("REACHED")).on("error",e=>console.log(e.code))'`;
    expect(await run(connect(`"\\0${canary}"`))).toMatch(/ECONNREFUSED|EPERM/);
    expect(await run(connect('"/run/longhand/hands.sock"'))).toBe('EACCES');
    expect(connections).toEqual([]);
  });
});

describe('a sandbox cannot change', () => {
  test('the folder with its socket, not even as the tool server', async () => {
    const attempts = [
      'touch /run/longhand/x',
      'rm -f /run/longhand/hands.sock',
      'mv /run/longhand/hands.sock /run/longhand/y',
    ];
    for (const attempt of attempts) {
      expect(await run(attempt)).toMatch(/denied|Read-only/);
      expect(await subject.insideAsRoot(ref, attempt)).toContain('Read-only file system');
    }
    expect(await run('echo on')).toBe('on');
  });

  test('programs and settings of the host', async () => {
    const write = 'echo x >> /usr/bin/env; echo x >> /etc/passwd; echo x >> /run/tools/node; rm /run/tools/*';
    const said = await subject.insideAsRoot(ref, write);
    expect(said.match(/Read-only file system|busy|denied/g)?.length).toBe(5);
  });

  test('any folder of the host by writing to its own', async () => {
    await run('echo x > /workspace/written; echo x > /tmp/written; echo x > ~/written');
    const { sandboxes } = await preparePlaces(subject.options);
    const tree = join(sandboxes, ref.id);
    expect(readdirSync(join(tree, 'root/workspace'))).toEqual([]);
    expect(readdirSync(join(tree, 'journal'))).toEqual([]);
    expect(readdirSync(join(tree, 'disk'))).toEqual([]);
    expect(existsSync(join(tree, 'root/tmp/written'))).toBe(false);
  });
});

describe('the agent and its supervisor', () => {
  test('the tool server and the first process cannot be killed, read or traced', async () => {
    expect(await run('kill -9 1; kill -9 2; kill -STOP 2; echo still')).toMatch(/not permitted[\s\S]*still$/);
    for (const file of ['environ', 'mem', 'fd/0', 'maps']) {
      expect(await run(`head -c 1 /proc/2/${file} 2>&1`)).toMatch(/denied|not permitted|No such/);
    }
    expect(await run('ls /proc/2/fd 2>&1 | wc -l')).toMatch(/^[01]$/);
  });

  test('`kill -9 -1`, `pkill node` and `pkill bash` end the agent’s processes alone', async () => {
    await run('kill -9 -1; pkill -9 node; pkill -9 bash');
    expect(await run('echo still here')).toBe('still here');
  });

  test('the journal cannot be seen or written', async () => {
    expect(await run('ls /var/lib/longhand')).toContain('denied');
    expect(await run('cat /var/lib/longhand/journal.jsonl')).toContain('denied');
    expect(await run('echo "{}" >> /var/lib/longhand/journal.jsonl')).toContain('denied');
    expect(await subject.insideAsRoot(ref, 'stat -c "%a %u" /var/lib/longhand /var/lib/longhand/journal.jsonl')).toBe(
      '700 0\n600 0\n',
    );
  });

  test('commands hold no capability and find few folders to write to', async () => {
    expect(await run('grep -E "Cap(Eff|Prm|Bnd)" /proc/self/status | cut -f2 | sort -u | head -1')).toBe(
      '0000000000000000',
    );
    const writable = await run(
      'find / \\( -path /proc -o -path /sys -o -path /usr \\) -prune -o -type d -writable -print 2>/dev/null | grep -v "^/workspace/"',
    );
    expect(
      writable
        .replace(/\n\[exit.*/, '')
        .split('\n')
        .sort(),
    ).toEqual([...['/dev/shm', '/home/agent', '/mnt/session/outputs', '/tmp', '/var/tmp', '/workspace']]);
  });
});

test('on the host, a sandbox is an unprivileged id in namespaces of its own', async () => {
  const { pid, goferPid } = await subject.record(ref);
  for (const process of [pid, goferPid]) {
    const status = readFileSync(`/proc/${process}/status`, 'utf8');
    expect(status).not.toMatch(/^Uid:.*\b0\b/m);
    expect(status).toMatch(/^Groups:\s*(\d+ ?)?$/m);
    for (const kind of ['user', 'net', 'mnt', 'pid', 'ipc']) {
      expect(readlinkSync(`/proc/${process}/ns/${kind}`)).not.toBe(readlinkSync(`/proc/self/ns/${kind}`));
    }
  }
});

test('a tool server that crashes is started again and does not run a call twice', async () => {
  const call = bashCall('echo run >> crash.txt; sleep 30');
  const running = subject.hands.execute(ref, call, signal);
  await expect.poll(() => subject.insideAsRoot(ref, 'cat /workspace/crash.txt')).toBe('run\n');
  const done = bashCall('echo recorded', { thread: 'b' });
  const recorded = await subject.hands.execute(ref, done, signal);
  await subject.insideAsRoot(ref, 'kill -9 $(pgrep -f "^/run/tools/node /run/tools/tool-server.mjs /run")');
  expect(await running).toMatchObject({ kind: 'unknown' });
  expect(await subject.hands.execute(ref, call, signal)).toMatchObject({ kind: 'unknown' });
  expect(await subject.hands.execute(ref, done, signal)).toEqual(recorded);
  expect(outcomeText(await subject.hands.execute(ref, bashCall('cat crash.txt; pgrep sleep'), signal))).toContain(
    'run',
  );
  expect(await run('wc -l < crash.txt')).toBe('1');
}, 30_000);
