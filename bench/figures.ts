/** What was measured, what it should be, and how both are shown. */

/** A number that a figure should reach. */
export interface Target {
  of: 'p50' | 'p95';
  /** Exactly one of the two. */
  atMost?: number;
  atLeast?: number;
}

export interface Figure {
  name: string;
  /** Of `p50` and `p95`: `ms` unless it says otherwise. */
  unit: string;
  p50: number;
  p95: number;
  /** Samples. */
  n: number;
  targets: Target[];
}

/** @param samples - none is a figure that meets no target. */
export function figure(name: string, samples: number[], targets: Target[] = [], unit = 'ms'): Figure {
  const sorted = samples.filter(Number.isFinite).sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { name, unit, p50: rounded(at(0.5)), p95: rounded(at(0.95)), n: sorted.length, targets };
}

/** One number, measured once. */
export function single(name: string, value: number, unit: string, targets: Omit<Target, 'of'>[] = []): Figure {
  return figure(
    name,
    [value],
    targets.map((target) => ({ of: 'p50', ...target })),
    unit,
  );
}

export function isMet(figure: Figure, target: Target): boolean {
  const value = figure[target.of];
  return value <= (target.atMost ?? Number.POSITIVE_INFINITY) && value >= (target.atLeast ?? Number.NEGATIVE_INFINITY);
}

export function missed(figures: Figure[]): Figure[] {
  return figures.filter((one) => one.targets.some((target) => !isMet(one, target)));
}

/** With `met` beside each target, for `--json`. */
export function withVerdicts(figures: Figure[]): object[] {
  return figures.map((one) => ({
    ...one,
    targets: one.targets.map((target) => ({ ...target, met: isMet(one, target) })),
  }));
}

export function table(figures: Figure[]): string {
  const width = Math.max(...figures.map(({ name }) => name.length), 0);
  const rows = figures.map((one) => {
    const numbers = [one.p50, one.n > 1 ? one.p95 : ''].map((value) => String(value).padStart(8)).join('  ');
    return `${one.name.padEnd(width)}  ${numbers}  ${one.unit.padEnd(10)} ${String(one.n).padStart(4)}  ${verdicts(one)}`;
  });
  return [`${''.padEnd(width)}       p50       p95  unit          n  target`, ...rows].join('\n');
}

function verdicts(one: Figure): string {
  return one.targets
    .map((target) => {
      const sign = target.atMost === undefined ? '≥' : '≤';
      const limit = rounded(target.atMost ?? target.atLeast ?? Number.NaN);
      return `${target.of} ${sign} ${limit}: ${isMet(one, target) ? 'met' : 'MISSED'}`;
    })
    .join(', ');
}

function rounded(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Math.round(value * 10) / 10;
}

/** Calls `act` so many times, one after the other, and returns how long each took, ms. */
export async function timed(times: number, act: (index: number) => Promise<unknown>): Promise<number[]> {
  const samples: number[] = [];
  for (let i = 0; i < times; i++) {
    const began = performance.now();
    await act(i);
    samples.push(performance.now() - began);
  }
  return samples;
}

export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
