/** Processes of the host, told apart by pid and start time. */
import { readFileSync } from 'node:fs';

/** Start time in clock ticks since boot, proc_pid_stat(5); undefined for a process that is gone or a zombie. */
export function startTime(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The name before the last ")" may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}

export function isAlive(pid: number, start: string): boolean {
  return pid > 0 && startTime(pid) === start;
}

/** Changes with every start of the host. */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** Ends a process; one that is gone, or another's by now, is no error. */
export function kill(pid: number): void {
  try {
    if (pid > 1) process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}
