/** Runs in a process of an ordinary user, started by a test: tries the limits there and prints the report as JSON. */
import { rmSync } from 'node:fs';
import { shell, signal } from '../contract.ts';
import { type GvisorSubject, openTestHands } from './testing.ts';
import { SMALL, tryLimits } from './testing-limits.ts';

/** Through a checkpoint into the next generation, with hands of their own. */
async function moveFiles({ hands, reopen }: GvisorSubject): Promise<string> {
  const one = await hands.provision({ sessionId: 'moved', generation: 1 }, signal);
  await shell(hands, one, 'echo moved > file');
  const restore = await hands.checkpoint(one);
  const later = await reopen();
  const two = await later.provision({ sessionId: 'moved', generation: 2, restore }, signal);
  return await shell(later, two, 'cat file');
}

const subject = await openTestHands({ limits: SMALL, log: (message) => process.stderr.write(`${message}\n`) });
try {
  await subject.hands.probe();
  const report = await tryLimits(subject);
  report.moved = await moveFiles(subject);
  process.stdout.write(JSON.stringify({ uid: process.getuid?.(), ...report }));
} finally {
  await subject.dispose();
  rmSync(subject.options.stateDir, { recursive: true, force: true });
}
