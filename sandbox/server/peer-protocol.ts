/**
 * What the tool server and the agent's side say to each other, where that is another container: HTTP/2 over a connection
 * which the agent's side dials, on the loopback that containers of a pod share (under gVisor a Unix socket in a shared
 * volume is seen only by the container that made it). One connection is one life of the agent's side: it ends with it.
 *
 * `PUT /begin` comes first and says how it is to work; `POST /bash` answers when the command has ended.
 */
import type { BashEnd } from './bash.ts';
import type { LocalConfig } from './local-side.ts';

/** Where the tool server waits for it. */
export const LOOPBACK = '127.0.0.1';

/** Body of `PUT /begin`. */
export type Begin = LocalConfig;

/** Body of `PUT /note`. */
export type Note = Pick<LocalConfig, 'shellNote'>;

/** Body of `POST /bash`. */
export interface BashRequest {
  id: string;
  thread: string;
  command: string;
  deadlineMs: number;
}

/** Answer of `POST /bash`. */
export type BashAnswer = { started: true; end: BashEnd } | { started: false; reason: string };

/** Body of `POST /tool`. */
export interface ToolRequest {
  name: string;
  input: Record<string, unknown>;
}

/** Header of a file's answer. */
export const MODIFIED_HEADER = 'last-modified';
