/** A rehearsal as it is played: compiled from a YAML file by `load.ts`. The file format is described in README.md. */
import type { Pattern } from './pattern.ts';
import type { Template } from './template.ts';

export interface Script {
  title: string;
  /** Model ids that this rehearsal answers for; `*` matches any characters. Empty: every model. */
  models: string[];
  pace: Pace;
  /** Tokens that a request may hold; beyond, the API refuses it. */
  contextWindow: number;
  /** Whether a reply longer than the request's `max_tokens` is cut off, as a model's would be. */
  cutAtMaxTokens: boolean;
  turns: Turn[];
  /** The order of the turns without a condition, repeats written out: indices into `turns`. */
  order: number[];
  summary: { when?: Condition; step: Step };
  fallback: Step;
}

export interface Pace {
  firstTokenMs: number;
  chunkMs: number;
  chunkChars: number;
  /** A long block is sent in larger chunks rather than in more than these. */
  maxChunks: number;
}

/** What the model says to one user message: a line per model request. */
export interface Turn {
  when?: Condition;
  lines: Line[];
}

/** One reply, with the loop that it stands in written out. */
export interface Line {
  step: Step;
  /** Counts from 1 within the innermost loop. */
  round: number;
  /** Where the script goes on once the loop's `until` has come true. */
  leave: { until: Condition; to: number }[];
}

/** All members that are present must hold. */
export interface Condition {
  /** The text of the user's message. */
  user?: Pattern;
  /** The results of the latest round of tool calls, one after the other. */
  result?: Pattern;
  /** Whether one of the latest results is an error. */
  error?: boolean;
  system?: Pattern;
  /** Titles and texts of all plain-text documents that the user has given. */
  document?: Pattern;
}

export interface Step {
  /** Where it stands in the file, for messages to people. */
  path: string;
  when?: Condition;
  faults: Fault[];
  /** Overrides of the rehearsal's pace. */
  pace: Partial<Pace>;
  blocks: Block[];
  /** Sent as it is, also when no such stop reason exists. Absent: tool_use after a tool call, else end_turn. */
  stop?: string;
  stopDetails?: { category: string | null; explanation: string | null };
  /** Ends the reply after so many characters of its last block, in the middle of a word or of JSON. */
  cutAfterChars?: number;
}

export type Block =
  | { type: 'text'; text: Template }
  | { type: 'thinking'; thinking: Template }
  | { type: 'redacted_thinking'; data: Template }
  | { type: 'tool_use'; name: string; as?: string; times: number; input: InputTemplate };

/** A tool's input whose strings are templates. */
export type InputTemplate =
  | { kind: 'text'; template: Template }
  | { kind: 'list'; items: InputTemplate[] }
  | { kind: 'map'; entries: [string, InputTemplate][] }
  | { kind: 'plain'; value: number | boolean | null };

/** What goes wrong before, or while, a reply is sent. */
export interface Fault {
  /** Requests in a row that meet this fault; Infinity: every one. */
  times: number;
  status?: number;
  type?: string;
  message?: string;
  /** Seconds, as in the `retry-after` header. */
  retryAfter?: number;
  /** Chunks of the reply that are sent first; then comes the error event, the stall or the cut. */
  afterChunks?: number;
  stallMs?: number;
  /** The connection is cut. */
  drop: boolean;
}
