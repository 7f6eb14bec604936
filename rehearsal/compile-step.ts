/** One reply of the file, compiled: shorthands written out, patterns and templates parsed. */
import type { FaultFile, PaceFile, ReplyFile, WhenFile } from './file-schema.ts';
import { type Pattern, pattern } from './pattern.ts';
import type { Block, Condition, Fault, InputTemplate, Pace, Step } from './script.ts';
import { parseTemplate, type Template } from './template.ts';

/** Takes note of a problem; compiling goes on, so that a person sees all of them at once. */
export type Compiler = (path: string, problem: string) => void;

export function compileStep(reply: ReplyFile, path: string, report: Compiler): Step {
  const step: Step = { path, faults: compileFaults(reply.fail), pace: compilePace(reply.pace ?? {}), blocks: [] };
  if (reply.when) step.when = compileCondition(reply.when, 'result', `${path}.when`, report);
  if (reply.stop) step.stop = reply.stop;
  if (reply.stop_details) step.stopDetails = reply.stop_details;
  if (reply.cut_after_chars !== undefined) step.cutAfterChars = reply.cut_after_chars;
  step.blocks = compileBlocks(reply, path, report);
  if (step.blocks.length === 0 && !reply.stop && !reply.fail)
    report(path, 'says nothing: give it text, thinking, tools, blocks or a stop');
  return step;
}

function compileBlocks(reply: ReplyFile, path: string, report: Compiler): Block[] {
  const text = (source: string, at: string) => template(source, at, report);
  if (reply.blocks && (reply.text ?? reply.thinking ?? reply.tools))
    report(`${path}.blocks`, 'replaces text, thinking and tools: use one or the other');
  if (reply.blocks)
    return reply.blocks.flatMap((block, i): Block[] => {
      const at = `${path}.blocks.${i}`;
      if ('text' in block) return [{ type: 'text', text: text(block.text, `${at}.text`) }];
      if ('thinking' in block) return [{ type: 'thinking', thinking: text(block.thinking, `${at}.thinking`) }];
      if ('redacted_thinking' in block)
        return [{ type: 'redacted_thinking', data: text(block.redacted_thinking, `${at}.redacted_thinking`) }];
      return compileTool(block.tool, `${at}.tool`, report);
    });
  return [
    ...list(reply.thinking).map((it): Block => ({ type: 'thinking', thinking: text(it, `${path}.thinking`) })),
    ...list(reply.text).map((it): Block => ({ type: 'text', text: text(it, `${path}.text`) })),
    ...(reply.tools ?? []).flatMap((tool, i) => compileTool(tool, `${path}.tools.${i}`, report)),
  ];
}

const RESERVED = ['as', 'times', 'name', 'input'];

/** `{bash: "ls"}`, `{write: {…}, as: x}`, or `{name, input}` for a tool with a reserved name. */
function compileTool(tool: Record<string, unknown>, path: string, report: Compiler): Block[] {
  const names = 'name' in tool ? [String(tool.name)] : Object.keys(tool).filter((key) => !RESERVED.includes(key));
  const [name] = names;
  if (name === undefined || names.length > 1) {
    report(path, `needs exactly one tool name as a key, not ${names.length === 0 ? 'none' : names.join(', ')}`);
    return [];
  }
  const { as, times = 1 } = tool;
  if (as !== undefined && (typeof as !== 'string' || !/^\w+$/.test(as))) report(`${path}.as`, 'must be one word');
  if (!Number.isInteger(times) || Number(times) < 1) report(`${path}.times`, 'must be a whole number from 1');
  let input = 'name' in tool ? (tool.input ?? {}) : (tool[name] ?? {});
  if (name === 'bash' && typeof input === 'string') input = { command: input };
  if (typeof input !== 'object') report(`${path}.${name}`, 'the input must be a map (only bash takes a plain command)');
  const block: Block = { type: 'tool_use', name, times: Number(times), input: compileInput(input, path, report) };
  return [typeof as === 'string' ? { ...block, as } : block];
}

function compileInput(value: unknown, path: string, report: Compiler): InputTemplate {
  if (typeof value === 'string') return { kind: 'text', template: template(value, path, report) };
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return { kind: 'plain', value };
  if (Array.isArray(value))
    return { kind: 'list', items: value.map((it, i) => compileInput(it, `${path}.${i}`, report)) };
  const entries = Object.entries(value ?? {});
  return { kind: 'map', entries: entries.map(([key, it]) => [key, compileInput(it, `${path}.${key}`, report)]) };
}

/** `bare` is what a condition that is only a string speaks of. */
export function compileCondition(when: WhenFile, bare: 'user' | 'result', path: string, report: Compiler): Condition {
  const members = typeof when === 'string' ? { [bare]: when } : when;
  const condition: Condition = {};
  for (const key of ['user', 'result', 'system', 'document'] as const) {
    const source = members[key];
    if (source !== undefined) condition[key] = safePattern(source, path, report);
  }
  if ('error' in members && members.error !== undefined) condition.error = members.error;
  return condition;
}

export function compilePace(pace: PaceFile): Partial<Pace> {
  return {
    ...(pace.first_token_ms !== undefined && { firstTokenMs: pace.first_token_ms }),
    ...(pace.chunk_ms !== undefined && { chunkMs: pace.chunk_ms }),
    ...(pace.chunk_chars !== undefined && { chunkChars: pace.chunk_chars }),
    ...(pace.max_chunks !== undefined && { maxChunks: pace.max_chunks }),
  };
}

function compileFaults(fail: FaultFile | FaultFile[] | undefined): Fault[] {
  return (Array.isArray(fail) ? fail : fail ? [fail] : []).map((fault) => ({
    times: fault.times === 'always' ? Number.POSITIVE_INFINITY : fault.times,
    drop: fault.drop,
    ...(fault.status !== undefined && { status: fault.status }),
    ...(fault.type !== undefined && { type: fault.type }),
    ...(fault.message !== undefined && { message: fault.message }),
    ...(fault.retry_after !== undefined && { retryAfter: fault.retry_after }),
    ...(fault.after_chunks !== undefined && { afterChunks: fault.after_chunks }),
    ...(fault.stall_ms !== undefined && { stallMs: fault.stall_ms }),
  }));
}

function template(source: string, path: string, report: Compiler): Template {
  try {
    return parseTemplate(source);
  } catch (error) {
    report(path, (error as Error).message);
    return [];
  }
}

function safePattern(source: string, path: string, report: Compiler): Pattern {
  try {
    return pattern(source);
  } catch (error) {
    report(path, (error as Error).message);
    return pattern('');
  }
}

function list(value: string | string[] | undefined): string[] {
  return Array.isArray(value) ? value : value === undefined ? [] : [value];
}
