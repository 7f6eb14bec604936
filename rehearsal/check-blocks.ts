/** The blocks of one message, each on its own: is it of a known type, is it complete, may it stand with this role. */
import { invalid } from './errors.ts';
import { isObject } from './json.ts';

type Block = Record<string, unknown>;

const BY_ROLE: Record<string, string[]> = {
  user: ['text', 'image', 'document', 'tool_result', 'search_result', 'container_upload'],
  assistant: ['text', 'thinking', 'redacted_thinking', 'tool_use', 'server_tool_use', 'web_search_tool_result'],
  system: ['text'],
  tool_result: ['text', 'image', 'document', 'search_result', 'tool_reference', 'browser_state'],
};

/** @throws ApiError (400) with the path of the first block that is wrong. */
export function checkBlocks(blocks: unknown[], role: string, path: string): void {
  for (const [i, block] of blocks.entries()) {
    const at = `${path}.${i}`;
    if (!isObject(block)) throw invalid(`${at}: Input should be an object`);
    const type = block.type;
    if (typeof type !== 'string') throw invalid(`${at}.type: Field required`);
    const allowed = BY_ROLE[role] ?? [];
    if (!allowed.includes(type)) throw invalid(misplaced(type, role, allowed, at));
    CHECKS[type]?.(block, at);
  }
}

function misplaced(type: string, role: string, allowed: string[], at: string): string {
  if (type === 'tool_use' && role === 'user') return `${at}: \`tool_use\` blocks can only be in \`assistant\` messages`;
  if (type === 'tool_result' && role === 'assistant')
    return `${at}: \`tool_result\` blocks can only be in \`user\` messages`;
  return `${at}: Input tag '${type}' found using 'type' does not match any of the expected tags: ${allowed.map((it) => `'${it}'`).join(', ')}`;
}

const CHECKS: Record<string, (block: Block, at: string) => void> = {
  text(block, at) {
    only(block, ['text', 'cache_control', 'citations'], at);
    const text = string(block, 'text', at);
    if (text === '') throw invalid(`${at}.text: text content blocks must be non-empty`);
    if (text.trim() === '') throw invalid(`${at}.text: text content blocks must contain non-whitespace text`);
  },
  image(block, at) {
    only(block, ['source', 'cache_control'], at);
    source(block, ['base64', 'url', 'file'], at);
  },
  document(block, at) {
    only(block, ['source', 'title', 'context', 'citations', 'cache_control'], at);
    source(block, ['base64', 'text', 'content', 'url', 'file'], at);
  },
  thinking(block, at) {
    only(block, ['thinking', 'signature'], at);
    string(block, 'thinking', at);
    string(block, 'signature', at);
  },
  redacted_thinking(block, at) {
    only(block, ['data'], at);
    string(block, 'data', at);
  },
  tool_use(block, at) {
    only(block, ['id', 'name', 'input', 'cache_control', 'caller', 'toolset_name'], at);
    const id = string(block, 'id', at);
    if (!/^[a-zA-Z0-9_-]+$/.test(id)) throw invalid(`${at}.id: String should match pattern '^[a-zA-Z0-9_-]+$'`);
    string(block, 'name', at);
    if (!isObject(block.input)) throw invalid(`${at}.input: Input should be a valid dictionary`);
  },
  tool_result(block, at) {
    only(block, ['tool_use_id', 'content', 'is_error', 'cache_control', 'toolset_name'], at);
    string(block, 'tool_use_id', at);
    const { content, is_error: isError } = block;
    if (isError !== undefined && typeof isError !== 'boolean')
      throw invalid(`${at}.is_error: Input should be a valid boolean`);
    if (Array.isArray(content)) checkBlocks(content, 'tool_result', `${at}.content`);
    else if (content !== undefined && typeof content !== 'string')
      throw invalid(`${at}.content: Input should be a valid string or list`);
  },
};

const IMAGES = ['image/jpeg', 'image/png', 'image/gif', 'image/webp'];

function source(block: Block, types: string[], at: string): void {
  const value = block.source;
  if (!isObject(value)) throw invalid(`${at}.source: Field required`);
  const type = String(value.type);
  if (!types.includes(type))
    throw invalid(`${at}.source: Input tag '${type}' does not match any of the expected tags: ${types.join(', ')}`);
  if (type === 'url') string(value, 'url', `${at}.source`);
  if (type === 'file') string(value, 'file_id', `${at}.source`);
  if (type !== 'base64' && type !== 'text') return;
  const media = string(value, 'media_type', `${at}.source.${type}`);
  const data = string(value, 'data', `${at}.source.${type}`);
  const expected = type === 'text' ? ['text/plain'] : block.type === 'image' ? IMAGES : ['application/pdf'];
  if (!expected.includes(media))
    throw invalid(`${at}.source.${type}.media_type: Input should be ${expected.map((it) => `'${it}'`).join(' or ')}`);
  if (data === '') throw invalid(`${at}.source.${type}.data: ${block.type} cannot be empty`);
  if (type === 'base64' && !/^[A-Za-z0-9+/]+={0,2}$/.test(data.slice(0, 4_096)))
    throw invalid(`${at}.source.base64: invalid base64 data`);
}

function string(block: Block, key: string, at: string): string {
  const value = block[key];
  if (value === undefined) throw invalid(`${at}.${key}: Field required`);
  if (typeof value !== 'string') throw invalid(`${at}.${key}: Input should be a valid string`);
  return value;
}

function only(block: Block, keys: string[], at: string): void {
  const extra = Object.keys(block).find((key) => key !== 'type' && !keys.includes(key));
  if (extra) throw invalid(`${at}.${extra}: Extra inputs are not permitted`);
}
