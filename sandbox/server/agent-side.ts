/**
 * The agent's side of a sandbox: whatever runs under the agent's uid, or looks at the agent's processes and files. The
 * tool server holds the journal and asks this side. It is either in the same container, where the server may start
 * processes under another uid ({@link createLocalSide}), or in a container of its own ({@link createPeerSide}).
 * What it says is only ever a command's output or a file's content: the agent may have said it.
 */
import type { Readable } from 'node:stream';
import type { Bash } from './bash.ts';
import type { ToolProcess } from './tool-process.ts';

/** The agent's side ended while it worked, so nobody knows how far it came. */
export class AgentSideLostError extends Error {
  override name = 'AgentSideLostError';
}

export interface AgentSide {
  bash: Bash;
  tools: ToolProcess;
  files: AgentFiles;
  /** Resolves when it can be asked; rejects, in words for people, when it does not come back in time. */
  ready(): Promise<void>;
  /** Changes what the first command of each thread is told about its shell. */
  tell(shellNote: string | undefined): Promise<void>;
}

export interface AgentFiles {
  /**
   * The agent's files as a tar; ends with an error when it is not whole. The same files give the same bytes.
   * @param skills - they come from outside, and are left out.
   */
  tar(skills: boolean): Promise<Readable>;
  /** Unpacks a tar as the agent: whatever it holds, it cannot touch what the agent could not. */
  untar(tar: Readable): Promise<void>;
  /** One regular file, as the agent; rejects with a reason for people. */
  read(path: string): Promise<{ body: Readable; modifiedAt: string }>;
}
