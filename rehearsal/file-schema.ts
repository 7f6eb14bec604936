/** The YAML of a rehearsal as people write it. Strict: a misspelt key is an error, never ignored. */
import { z } from 'zod';

const count = z.number().int().min(1).max(100_000);
const ms = z.number().int().min(0).max(3_600_000);

const condition = z.strictObject({
  user: z.string().min(1).optional(),
  result: z.string().min(1).optional(),
  error: z.boolean().optional(),
  system: z.string().min(1).optional(),
  document: z.string().min(1).optional(),
});
const when = z.union([z.string().min(1), condition]);

const pace = z.strictObject({
  first_token_ms: ms.optional(),
  chunk_ms: ms.optional(),
  chunk_chars: count.optional(),
  max_chunks: count.optional(),
});

const fault = z.strictObject({
  times: z.union([count, z.literal('always')]).default(1),
  status: z.number().int().min(400).max(599).optional(),
  type: z.string().min(1).optional(),
  message: z.string().min(1).optional(),
  retry_after: z.number().min(0).optional(),
  after_chunks: z.number().int().min(0).optional(),
  stall_ms: ms.optional(),
  drop: z.boolean().default(false),
});

const stopDetails = z.strictObject({
  category: z.string().nullable().default(null),
  explanation: z.string().nullable().default(null),
});

/** `{bash: …, as?, times?}`; which single key is the tool's name is settled while compiling. */
const tool = z.record(z.string(), z.unknown());
const texts = z.union([z.string(), z.array(z.string())]);
const block = z.union([
  z.strictObject({ text: z.string() }),
  z.strictObject({ thinking: z.string() }),
  z.strictObject({ redacted_thinking: z.string() }),
  z.strictObject({ tool }),
]);

const reply = {
  when: when.optional(),
  fail: z.union([fault, z.array(fault)]).optional(),
  pace: pace.optional(),
  thinking: texts.optional(),
  text: texts.optional(),
  tools: z.array(tool).optional(),
  blocks: z.array(block).optional(),
  stop: z.string().min(1).optional(),
  stop_details: stopDetails.optional(),
  cut_after_chars: z.number().int().min(0).optional(),
};
const loop = { repeat: count.optional(), until: when.optional() };

const step: z.ZodType<StepFile> = z.lazy(() =>
  z.strictObject({ ...reply, ...loop, steps: z.array(step).min(1).optional() }),
);

const turn = z.strictObject({
  name: z.string().optional(),
  when: when.optional(),
  repeat: count.optional(),
  steps: z.array(step).min(1),
});

export const fileSchema = z.strictObject({
  rehearsal: z.string().min(1),
  models: z.array(z.string().min(1)).default([]),
  pace: pace.default({}),
  context_window: z.number().int().min(1).default(1_000_000),
  cut_at_max_tokens: z.boolean().default(true),
  turns: z.array(turn).default([]),
  summary: z.strictObject(reply).optional(),
  fallback: z.strictObject(reply).optional(),
});

export type WhenFile = z.infer<typeof when>;
export type PaceFile = z.infer<typeof pace>;
export type FaultFile = z.infer<typeof fault>;
export type ReplyFile = z.infer<z.ZodObject<typeof reply>>;
export type StepFile = ReplyFile & { repeat?: number; until?: WhenFile; steps?: StepFile[] };
/** What a test may write in TypeScript instead of YAML. */
export type RehearsalFile = z.input<typeof fileSchema>;
export type ParsedFile = z.infer<typeof fileSchema>;
