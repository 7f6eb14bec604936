/** Turns with their loops written out: a line per model request, so that a position is one number. */
import { type Compiler, compileCondition, compileStep } from './compile-step.ts';
import type { ParsedFile, StepFile } from './file-schema.ts';
import type { Line, Turn } from './script.ts';

/** Lines that one turn may have once its loops are written out. */
const MAX_LINES = 100_000;

export function compileTurns(turns: ParsedFile['turns'], report: Compiler): { turns: Turn[]; order: number[] } {
  const order: number[] = [];
  const compiled = turns.map((turn, i): Turn => {
    const path = `turns.${i}`;
    if (turn.when && turn.repeat) report(`${path}.repeat`, 'a turn with a condition is played as often as it matches');
    if (!turn.when) order.push(...new Array<number>(turn.repeat ?? 1).fill(i));
    const lines: Line[] = [];
    writeOut(turn.steps, `${path}.steps`, 1, lines, report);
    if (lines.length > MAX_LINES) report(path, `has ${lines.length} replies; ${MAX_LINES} are the most`);
    return turn.when ? { when: compileCondition(turn.when, 'user', `${path}.when`, report), lines } : { lines };
  });
  return { turns: compiled, order };
}

function writeOut(steps: StepFile[], path: string, round: number, lines: Line[], report: Compiler): void {
  for (const [i, step] of steps.entries()) {
    const at = `${path}.${i}`;
    const { repeat, until, steps: inner, ...reply } = step;
    const loops = repeat !== undefined;
    if (until && !loops) report(`${at}.until`, 'needs a repeat: the most rounds that the loop may take');
    if (inner && Object.keys(reply).length > 0)
      report(at, `a loop of steps says nothing itself: move ${Object.keys(reply).join(', ')} into its steps`);
    const condition = until && compileCondition(until, 'result', `${at}.until`, report);
    const compiled = inner ? undefined : compileStep(reply, at, report);
    const from = lines.length;
    const seen = compiled ? report : quietAfterFirst(report);
    for (let n = 1; n <= (repeat ?? 1) && lines.length <= MAX_LINES; n++) {
      if (compiled) lines.push({ step: compiled, round: loops ? n : round, leave: [] });
      else writeOut(inner ?? [], `${at}.steps`, loops ? n : round, lines, seen);
    }
    if (condition) for (const line of lines.slice(from)) line.leave.push({ until: condition, to: lines.length });
  }
}

/** The same inner problem is met once per round: once is enough. */
function quietAfterFirst(report: Compiler): Compiler {
  const met = new Set<string>();
  return (path, problem) => {
    if (!met.has(path + problem)) report(path, problem);
    met.add(path + problem);
  };
}
