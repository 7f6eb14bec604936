/**
 * Blocks that name a file get its bytes, at the last moment: neither the log nor the conversation that a worker keeps
 * holds them.
 */
import type {
  ContentBlockParam,
  MessageCreateParamsStreaming,
  MessageParam,
  ToolResultBlockParam,
} from '@anthropic-ai/sdk/resources/messages';
import type { FileBytes } from '../events/entry.ts';

type Block = ContentBlockParam | Exclude<ToolResultBlockParam['content'], string | undefined>[number];
type Read = (sha256: string) => Promise<Buffer>;

/** @param read - the bytes of a blob of the session. @returns the request; the given one is not changed. */
export async function withFileBytes(
  request: MessageCreateParamsStreaming,
  files: ReadonlyMap<string, FileBytes>,
  read: Read,
): Promise<MessageCreateParamsStreaming> {
  if (files.size === 0) return request;
  const messages: MessageParam[] = [];
  for (const message of request.messages) {
    const { content } = message;
    messages.push(
      typeof content === 'string'
        ? message
        : ({ ...message, content: await filled(content, files, read) } as MessageParam),
    );
  }
  return { ...request, messages };
}

async function filled(blocks: readonly Block[], files: ReadonlyMap<string, FileBytes>, read: Read): Promise<Block[]> {
  const out: Block[] = [];
  for (const block of blocks) out.push(await fill(block, files, read));
  return out;
}

async function fill(block: Block, files: ReadonlyMap<string, FileBytes>, read: Read): Promise<Block> {
  if (block.type === 'tool_result' && Array.isArray(block.content)) {
    return { ...block, content: await filled(block.content, files, read) } as Block;
  }
  const fileId = fileIn(block);
  if (fileId === undefined) return block;
  const file = files.get(fileId);
  if (!file) return { type: 'text', text: `[The file ${fileId} is not part of this session’s log.]` };
  const bytes = await read(file.sha256);
  const source = file.mime.startsWith('text/')
    ? { type: 'text', media_type: 'text/plain', data: bytes.toString('utf8') }
    : { type: 'base64', media_type: file.mime, data: bytes.toString('base64') };
  return { ...block, source } as Block;
}

/** The id of the file that a block names. The SDK's type for requests does not know this source. */
function fileIn(block: Block): string | undefined {
  if (block.type !== 'image' && block.type !== 'document') return undefined;
  const source: { type: string; file_id?: unknown } = block.source;
  return source.type === 'file' && typeof source.file_id === 'string' ? source.file_id : undefined;
}
