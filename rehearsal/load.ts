/**
 * Reads a rehearsal: YAML or the same as an object, checked, then compiled. Everything that can be wrong with a file is
 * found here, each problem named by its path in the file.
 */
import { readFileSync } from 'node:fs';
import { parseDocument } from 'yaml';
import type { z } from 'zod';
import { type Compiler, compileCondition, compilePace, compileStep } from './compile-step.ts';
import { compileTurns } from './compile-turns.ts';
import { ScriptError } from './errors.ts';
import { fileSchema, type ParsedFile, type RehearsalFile, type ReplyFile } from './file-schema.ts';
import type { Script } from './script.ts';

/** A quiet model's pace: first token after 400 ms, so that programs which send first and open the stream then miss nothing. */
export const DEFAULT_PACE = { firstTokenMs: 400, chunkMs: 12, chunkChars: 24, maxChunks: 120 };

const FALLBACK: ReplyFile = {
  text:
    'This is a rehearsal, not a model: the answers come from a script, and the script has nothing (more) to say to ' +
    'this message. Set MODEL_API_KEY (and `--live` in the demo) to talk to a real model.',
};
const SUMMARY: ReplyFile = {
  text: 'Summary (written by a rehearsal, not by a model): the work goes on where the script left it.',
};

/** @throws ScriptError naming every problem; the file system's own error when the file cannot be read. */
export function loadFile(file: string): Script {
  return loadYaml(readFileSync(file, 'utf8'), file);
}

/** @throws ScriptError */
export function loadYaml(yaml: string, name = '(inline)'): Script {
  const document = parseDocument(yaml, { prettyErrors: true });
  if (document.errors.length > 0)
    throw new ScriptError(
      name,
      document.errors.map((error) => error.message),
    );
  return loadScript(document.toJS(), name);
}

/** @throws ScriptError */
export function loadScript(content: unknown, name = '(inline)'): Script {
  const parsed = fileSchema.safeParse(content);
  if (!parsed.success) throw new ScriptError(name, describeIssues(parsed.error.issues));
  const problems: string[] = [];
  const script = compile(parsed.data, (path, problem) => problems.push(`${path}: ${problem}`));
  if (problems.length > 0) throw new ScriptError(name, problems);
  return script;
}

/** For tests: a rehearsal written in TypeScript, with the compiler's help. */
export function defineRehearsal(file: RehearsalFile): Script {
  return loadScript(file);
}

function compile(file: ParsedFile, report: Compiler): Script {
  const { turns, order } = compileTurns(file.turns, report);
  const summary = { ...SUMMARY, ...file.summary };
  return {
    title: file.rehearsal,
    models: file.models,
    pace: { ...DEFAULT_PACE, ...compilePace(file.pace) },
    contextWindow: file.context_window,
    cutAtMaxTokens: file.cut_at_max_tokens,
    turns,
    order,
    summary: {
      ...(file.summary?.when && { when: compileCondition(file.summary.when, 'user', 'summary.when', report) }),
      step: compileStep({ ...summary, when: undefined }, 'summary', report),
    },
    fallback: compileStep({ ...FALLBACK, ...file.fallback }, 'fallback', report),
  };
}

/** zod's issues as `turns.0.steps.1.text: …` lines; of a union only the branch that came nearest. */
function describeIssues(issues: readonly z.core.$ZodIssue[], prefix: readonly PropertyKey[] = []): string[] {
  return issues.flatMap((issue) => {
    const path = [...prefix, ...issue.path];
    const branches = issue.code === 'invalid_union' ? issue.errors.filter((errors) => errors.length > 0) : [];
    const nearest = branches.toSorted((a, b) => depth(b) - depth(a))[0];
    if (nearest && depth(nearest) > 0) return describeIssues(nearest, path);
    return [`${path.map(String).join('.') || '(top)'}: ${issue.message}`];
  });
}

function depth(issues: readonly z.core.$ZodIssue[]): number {
  return Math.max(0, ...issues.map((issue) => (issue.code === 'unrecognized_keys' ? 1 : issue.path.length)));
}
