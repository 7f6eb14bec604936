/** The agent's processes, seen and ended by the tool server. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { AGENT_UID } from './protocol.ts';

/** Name of the variable that marks a call's processes, also those that left its process group. */
export const CALL_MARK = 'LONGHAND_CALL';

/** Pids of everything in the sandbox. */
export function allPids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** Whether a process runs; one that has ended and waits to be reaped does not. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
}

/** Sends a signal to a process group and to what a call started outside of it. Ended processes are no error. */
export function signalCall(callId: string, pgid: number, signal: NodeJS.Signals): void {
  send(-pgid, signal);
  const mark = `${CALL_MARK}=${callId}\0`;
  for (const pid of allPids()) {
    if (pid !== process.pid && environment(pid)?.includes(mark)) send(pid, signal);
  }
}

/**
 * Ends every process of the agent's uid at once. Signals one by one lose the race against a fork bomb; `kill(-1)`
 * by a process of that uid does not.
 */
export function killAllAgentProcesses(): Promise<void> {
  return new Promise((resolve) => {
    const child = spawn('/bin/bash', ['--norc', '--noprofile', '-c', 'kill -9 -1'], {
      uid: AGENT_UID,
      gid: AGENT_UID,
      env: {},
      cwd: '/',
      stdio: 'ignore',
    });
    child.once('error', () => resolve());
    child.once('exit', () => resolve());
  });
}

function environment(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch {
    return undefined;
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended.
  }
}
