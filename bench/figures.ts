/** Samples and what is said of them. */

export interface Figure {
  name: string;
  /** Milliseconds, or what `unit` says. */
  p50: number;
  p95: number;
  n: number;
  unit: string;
}

export function figure(name: string, samples: number[], unit = 'ms'): Figure {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  const round = (value: number) => Math.round(value * 10) / 10;
  return { name, p50: round(at(0.5)), p95: round(at(0.95)), n: samples.length, unit };
}

/** Calls `act` so many times, one after the other, and returns how long each took, ms. */
export async function timed(times: number, act: (index: number) => Promise<void>): Promise<number[]> {
  const samples: number[] = [];
  for (let i = 0; i < times; i++) {
    const began = performance.now();
    await act(i);
    samples.push(performance.now() - began);
  }
  return samples;
}

export function table(figures: Figure[]): string {
  const width = Math.max(...figures.map(({ name }) => name.length));
  const rows = figures.map(
    ({ name, p50, p95, n, unit }) =>
      `${name.padEnd(width)}  ${String(p50).padStart(8)}  ${String(p95).padStart(8)}  ${unit.padEnd(8)} ${String(n).padStart(5)}`,
  );
  return [`${''.padEnd(width)}       p50       p95  unit         n`, ...rows].join('\n');
}
