/** What an agent in a pod cannot do to its supervisor, and what is left when it ends everything that it can. */
import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bashCall, outcomeText, shell, signal } from '../contract.ts';
import type { SandboxRef } from '../hands.ts';
import { clusterMissing, type KubernetesSubject, openTestHands } from './testing.ts';

const missing = clusterMissing();

describe.skipIf(missing)(`the agent and its supervisor${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let subject: KubernetesSubject;
  let ref: SandboxRef;
  const run = (command: string) => shell(subject.hands, ref, command);
  beforeAll(async () => {
    subject = await openTestHands();
    ref = await subject.hands.provision({ sessionId: 'supervised', generation: 1 }, signal);
  }, 60_000);
  afterAll(async () => await subject?.dispose(), 60_000);

  /** Runs a program in a container as its own user, past the tool server. */
  const inside = (of: SandboxRef, container: string, command: string): Promise<string> =>
    new Promise((resolve) => {
      const words = ['-n', subject.options.namespace, 'exec', of.id, '-c', container, '--', 'sh', '-c', command];
      execFile('kubectl', words, { timeout: 20_000 }, (_error, out, err) => resolve(out + err));
    });

  test('are different users in process namespaces of their own', async () => {
    expect(await run('id -u; cat /proc/*/cmdline /proc/*/environ 2>/dev/null | tr "\\0" "\\n"')).not.toMatch(
      /tokenSha256|psk|LONGHAND_SERVER/,
    );
    expect(await inside(ref, 'supervisor', 'id -u; tr "\\0" " " </proc/1/cmdline')).toMatch(
      /^1001\n.*tool-server\.mjs -/,
    );
    expect(await run('for p in /proc/[0-9]*; do stat -c %u $p; done | sort -u')).toBe('1000');
  });

  test('commands hold no capability, gain none, and find few folders to write to', async () => {
    expect(await run('grep -E "Cap(Inh|Prm|Eff|Bnd|Amb)" /proc/self/status | cut -f2 | sort -u')).toBe(
      '0000000000000000',
    );
    expect(await run('grep NoNewPrivs /proc/self/status | cut -f2')).toBe('1');
    const find = 'find / \\( -path /proc -o -path /sys \\) -prune -o -type d -writable -print 2>/dev/null';
    const folders = (await run(`${find} | grep -vE "^/(workspace|run/shell)/"`)).replace(/\n\[exit.*/, '').split('\n');
    expect(folders.sort()).toEqual(
      ['/dev/shm', '/home/agent', '/mnt/session/outputs', '/run/shell', '/tmp', '/var/tmp', '/workspace'].sort(),
    );
  });

  test('the journal is not there for the agent', async () => {
    expect(await run('ls -A /var/lib/longhand; echo x > /var/lib/longhand/journal.jsonl')).toMatch(/Read-only|denied/);
    expect(await run('find / -name "journal*" -not -path "/proc/*" -not -path "/usr/*" 2>/dev/null; echo end')).toBe(
      'end',
    );
    const journal = await inside(ref, 'supervisor', 'stat -c "%a %u" /var/lib/longhand/journal/journal.jsonl');
    expect(journal).toBe('600 1001\n');
  });

  test('the tool server answers nobody without its token, and no other connection is taken for the shell', async () => {
    const ip = await run("hostname -i | tr ' ' '\\n' | grep -v 127 | head -1");
    const script = `
      const { connect } = require('node:http2');
      const tls = require('node:tls');
      const ask = (url, path, options) => new Promise((resolve) => {
        const session = connect(url, options);
        session.on('error', () => resolve('no'));
        const stream = session.request({ ':path': path, ':method': 'POST', 'x-longhand-generation': '1' });
        stream.on('error', () => resolve('no')).on('response', (answer) => { resolve(answer[':status']); session.destroy(); });
        stream.end(JSON.stringify({ thread: 'main', name: 'bash', input: { command: 'id' }, deadlineMs: 1 }));
        setTimeout(() => resolve('silent'), 3000);
      });
      const guess = { ciphers: 'PSK', maxVersion: 'TLSv1.2', checkServerIdentity() {}, ALPNProtocols: ['h2'],
        pskCallback: () => ({ psk: Buffer.alloc(32, 1), identity: 'hands' }) };
      const url = '${ip}:8374';
      Promise.all([
        ask('http://' + url, '/calls/forged'), ask('https://' + url, '/calls/forged', { rejectUnauthorized: false }),
        ask('https://' + url, '/calls/forged', { createConnection: () => tls.connect({ host: '${ip}', port: 8374, ...guess }) }),
      ]).then((answers) => { console.log(answers.join(' ')); process.exit(); });`;
    await run(`cat > knock.cjs <<'E'\n${script}\nE`);
    expect(await run('node knock.cjs')).toMatch(/^(no|silent) no no$/);
    const door = `const s = require('node:net').connect(8375, '127.0.0.1'); let got = 0;
      s.on('data', (d) => (got += d.length)).on('error', () => undefined).on('close', () => console.log('closed', got));`;
    expect(await run(`node -e "${door.replaceAll('\n', ' ')}"`)).toBe('closed 0');
    const listen = (port: number, host: string) =>
      `node -e "require('node:net').createServer().on('error', (e) => console.log(e.code)).listen(${port}, '${host}', () => process.exit())"`;
    const places = [listen(8374, ip), listen(8375, '127.0.0.1')];
    expect(await run(places.join('; '))).toBe('EADDRINUSE\nEADDRINUSE');
    const all = `node -e "require('node:net').createServer(() => process.exit()).listen(8374, '0.0.0.0')" & sleep 0.5`;
    await run(all);
    const other = await subject.reopen();
    expect(await shell(other, ref, 'echo reached')).toBe('reached');
    await other.close();
    expect(await inside(ref, 'supervisor', 'grep -c forged /var/lib/longhand/journal/journal.jsonl')).toMatch(/^0/);
  });

  test('everyday endings (`pkill node`, `pkill sh`, `pkill bash`) end the agent’s own processes alone', async () => {
    expect(await run('sleep 100 & pkill -9 node; pkill -9 "^sh$"; pkill -9 sleep; echo still')).toContain('still');
    await run('pkill -9 bash').catch(() => undefined);
    expect(await run('echo here')).toContain('here');
  });

  test('`kill -9 -1` ends the agent’s processes; the next call has a new shell, and is told', async () => {
    await run('echo kept > kept.txt; export GONE=1');
    const outcome = await subject.hands.execute(ref, bashCall('kill -9 -1'), signal);
    expect(outcome.kind).toMatch(/finished|unknown/);
    const next = await run('cat kept.txt; echo "[$GONE]"');
    expect(next).toMatch(/kept\n\[\]$/);
    if (outcome.kind === 'unknown') expect(next).toContain('was ended and started again');
  });

  test('`rm -rf` of all that it may remove, also of what its shell works with: the next call works', async () => {
    await run('rm -rf --no-preserve-root / 2>/dev/null');
    expect(await run('echo on; ls /workspace')).toContain('on');
    expect(await run('echo and on')).toBe('and on');
  });

  test('`kill -9 1` ends the shell alone: its call is unknown, files stay, it is back; a second one is the end', async () => {
    const one = await subject.hands.provision({ sessionId: 'killed-shell', generation: 1 }, signal);
    await shell(subject.hands, one, 'echo kept > kept.txt');
    const recorded = bashCall('echo recorded');
    const before = await subject.hands.execute(one, recorded, signal);
    const killing = bashCall('echo x >> times.txt; sleep 0.2; kill -9 1; sleep 5');
    expect(await subject.hands.execute(one, killing, signal)).toMatchObject({ kind: 'unknown' });
    const began = Date.now();
    const next = await shell(subject.hands, one, 'cat kept.txt; wc -l < times.txt');
    expect(next).toMatch(/^\[The shell of the sandbox was ended and started again.*\]\nkept\n1$/);
    expect(Date.now() - began).toBeLessThan(15_000);
    expect(await subject.hands.execute(one, killing, signal)).toMatchObject({ kind: 'unknown' });
    expect(await subject.hands.execute(one, recorded, signal)).toEqual(before);
    const again = await subject.hands.execute(one, bashCall('kill -9 1; sleep 5'), signal);
    expect(again.kind).toMatch(/unknown|lost/);
    await expect
      .poll(async () => (await subject.hands.execute(one, bashCall('true'), signal)).kind, { timeout: 20_000 })
      .toBe('lost');
    const two = await subject.hands.provision({ sessionId: 'killed-shell', generation: 2 }, signal);
    expect(await shell(subject.hands, two, 'echo new')).toContain('new');
    await subject.hands.release(two);
  }, 90_000);

  test('a supervisor that crashes is started again, remembers what was done, and runs nothing twice', async () => {
    const one = await subject.hands.provision({ sessionId: 'crashing', generation: 1 }, signal);
    const done = bashCall('echo recorded', { thread: 'b' });
    const recorded = await subject.hands.execute(one, done, signal);
    const call = bashCall('echo run >> crash.txt; sleep 30');
    const running = subject.hands.execute(one, call, signal);
    await expect.poll(() => inside(one, 'shell', 'cat /workspace/crash.txt')).toBe('run\n');
    await inside(one, 'supervisor', 'kill -9 1');
    expect(await running).toMatchObject({ kind: 'unknown' });
    expect(await subject.hands.execute(one, call, signal)).toMatchObject({ kind: 'unknown' });
    expect(await subject.hands.execute(one, done, signal)).toEqual(recorded);
    await sleep(200);
    const after = outcomeText(await subject.hands.execute(one, bashCall('wc -l < crash.txt; pgrep -c sleep'), signal));
    expect(after).toMatch(/1\n0/);
    await subject.hands.release(one);
  }, 60_000);
});
