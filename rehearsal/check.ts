/**
 * Judges a request as the Messages API does, in its words, so that a client that would fail there fails here first. The
 * checks are written out rather than left to a schema because the messages are part of what clients read.
 */
import type { ContentBlockParam, MessageCreateParamsBase } from '@anthropic-ai/sdk/resources/messages';
import { checkBlocks } from './check-blocks.ts';
import { checkPairs } from './check-pairs.ts';
import { checkThinking } from './check-thinking.ts';
import { asBlocks } from './conversation.ts';
import { ApiError, invalid } from './errors.ts';
import { isObject } from './json.ts';

// biome-ignore format: two lines read better
const KNOWN = new Set([
  'model', 'messages', 'max_tokens', 'system', 'tools', 'tool_choice', 'stream', 'thinking', 'metadata', 'stop_sequences',
  'cache_control', 'diagnostics', 'inference_geo', 'output_config', 'service_tier', 'speed', 'temperature', 'top_k', 'top_p',
]);

/** @throws ApiError (400) for the first thing that is wrong. `counts`: a count_tokens request, which needs no max_tokens. */
export function checkRequest(body: unknown, counts: boolean): void {
  if (!isObject(body)) throw invalid('The request body must be a JSON object.');
  if (body.thread) throw threadsUnsupported();
  const unknown = Object.keys(body).find((key) => !KNOWN.has(key));
  if (unknown) throw invalid(`${unknown}: Extra inputs are not permitted`);
  const { model, max_tokens: maxTokens, messages } = body;
  if (typeof model !== 'string' || model === '') throw invalid('model: Field required');
  if (!counts) {
    if (maxTokens === undefined) throw invalid('max_tokens: Field required');
    if (!Number.isInteger(maxTokens) || Number(maxTokens) < 0)
      throw invalid('max_tokens: Input should be a valid integer greater than or equal to 0');
  }
  if (messages === undefined) throw invalid('messages: Field required');
  if (!Array.isArray(messages)) throw invalid('messages: Input should be a valid list');
  if (messages.length === 0) throw invalid('messages: at least one message is required');
  checkSystem(body.system);
  checkTools(body.tools, body.tool_choice);
  checkThinkingConfig(body.thinking, maxTokens);
  checkEffort(body.output_config, body.speed);
  checkMessages(messages);
  const request = body as unknown as MessageCreateParamsBase;
  checkCacheControl(request);
  checkPairs(request.messages);
  checkThinking(request);
}

/** Clients of message threads (the SDK's tool runner) send the whole conversation once they have read this. */
function threadsUnsupported(): ApiError {
  return new ApiError(400, 'thread: a rehearsal keeps no conversations; send all the messages', {
    details: { error_code: 'thread_unsupported_request', unsupported: ['rehearsal'] },
  });
}

function checkEffort(config: unknown, speed: unknown): void {
  const effort = isObject(config) ? (config.effort ?? 'high') : 'high';
  if (!['low', 'medium', 'high', 'xhigh', 'max'].includes(String(effort)))
    throw invalid("output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'");
  if (!['standard', 'fast'].includes(String(speed ?? 'standard')))
    throw invalid("speed: Input should be 'standard' or 'fast'");
}

function checkMessages(messages: unknown[]): void {
  for (const [i, message] of messages.entries()) {
    const at = `messages.${i}`;
    if (!isObject(message)) throw invalid(`${at}: Input should be an object`);
    const { role, content } = message;
    if (role !== 'user' && role !== 'assistant' && role !== 'system')
      throw invalid(`${at}.role: Input should be 'user', 'assistant' or 'system'`);
    if (i === 0 && role !== 'user') throw invalid('messages: first message must use the "user" role');
    const extra = Object.keys(message).find((key) => key !== 'role' && key !== 'content');
    if (extra) throw invalid(`${at}.${extra}: Extra inputs are not permitted`);
    const last = i === messages.length - 1;
    if (content === undefined) throw invalid(`${at}.content: Field required`);
    if (typeof content !== 'string' && !Array.isArray(content))
      throw invalid(`${at}.content: Input should be a valid string or list`);
    if (content.length === 0 && !(role === 'assistant' && last))
      throw invalid(`${at}: all messages must have non-empty content except for the optional final assistant message`);
    if (typeof content === 'string' && content.trim() === '' && content !== '')
      throw invalid(`${at}: text content blocks must contain non-whitespace text`);
    if (Array.isArray(content)) checkBlocks(content, role, `${at}.content`);
  }
}

function checkSystem(system: unknown): void {
  if (system === undefined || typeof system === 'string') return;
  if (!Array.isArray(system)) throw invalid('system: Input should be a valid string or list');
  checkBlocks(system, 'system', 'system');
}

function checkTools(tools: unknown, choice: unknown): void {
  if (tools !== undefined && !Array.isArray(tools)) throw invalid('tools: Input should be a valid list');
  const names = new Set<unknown>();
  for (const [i, tool] of (tools ?? []).entries()) {
    if (!isObject(tool)) throw invalid(`tools.${i}: Input should be an object`);
    const { name, type, input_schema: schema } = tool;
    if (type !== undefined && type !== null && type !== 'custom') continue;
    if (typeof name !== 'string') throw invalid(`tools.${i}.custom.name: Field required`);
    if (!/^[a-zA-Z0-9_-]{1,128}$/.test(name))
      throw invalid(`tools.${i}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'`);
    if (!isObject(schema)) throw invalid(`tools.${i}.custom.input_schema: Field required`);
    if (schema.type !== 'object') throw invalid(`tools.${i}.custom.input_schema.type: Input should be 'object'`);
    if (names.has(name)) throw invalid('tools: Tool names must be unique.');
    names.add(name);
  }
  if (choice === undefined) return;
  if (!isObject(choice) || !['auto', 'any', 'tool', 'none'].includes(String(choice.type)))
    throw invalid("tool_choice.type: Input should be 'auto', 'any', 'tool' or 'none'");
  if (choice.type !== 'none' && (tools ?? []).length === 0)
    throw invalid('tool_choice may only be specified while providing tools');
  if (choice.type === 'tool' && !names.has(choice.name))
    throw invalid(`Tool '${String(choice.name)}' not found in provided tools`);
}

function checkThinkingConfig(thinking: unknown, maxTokens: unknown): void {
  if (thinking === undefined) return;
  const type = isObject(thinking) ? thinking.type : undefined;
  if (!isObject(thinking) || !['enabled', 'disabled', 'adaptive', 'between_tools'].includes(String(type)))
    throw invalid("thinking.type: Input should be 'enabled', 'disabled', 'adaptive' or 'between_tools'");
  if (type !== 'enabled') return;
  const budget = thinking.budget_tokens;
  if (typeof budget !== 'number') throw invalid('thinking.enabled.budget_tokens: Field required');
  if (budget < 1024) throw invalid('thinking.enabled.budget_tokens: Input should be greater than or equal to 1024');
  if (typeof maxTokens === 'number' && budget >= maxTokens)
    throw invalid('`max_tokens` must be greater than `thinking.budget_tokens`.');
}

const MAX_BREAKPOINTS = 4;

function checkCacheControl(request: MessageCreateParamsBase): void {
  const blocks: object[] = [...(request.tools ?? []), ...asBlocks(request.system ?? []), request];
  for (const message of request.messages) blocks.push(...asBlocks(message.content).flatMap(withInner));
  const controls = blocks.flatMap((block) =>
    'cache_control' in block && block.cache_control ? [block.cache_control] : [],
  );
  if (controls.length > MAX_BREAKPOINTS)
    throw invalid(
      `A maximum of ${MAX_BREAKPOINTS} blocks with cache_control may be provided. Found ${controls.length}.`,
    );
  let short = false;
  for (const control of controls) {
    if (!isObject(control) || control.type !== 'ephemeral')
      throw invalid("cache_control.type: Input should be 'ephemeral'");
    const ttl = control.ttl ?? '5m';
    if (ttl !== '5m' && ttl !== '1h') throw invalid("cache_control.ttl: Input should be '5m' or '1h'");
    if (ttl === '1h' && short)
      throw invalid("a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block.");
    short ||= ttl === '5m';
  }
}

function withInner(block: ContentBlockParam): object[] {
  return block.type === 'tool_result' && Array.isArray(block.content) ? [...block.content, block] : [block];
}
