/**
 * What the hands and the tool server say to each other, over HTTP. The same for every provider: only who dials differs.
 * Every request but `GET /health` carries the generation; the server answers 409 to any other.
 */

import type { ResultBlock } from '../../events/wire.ts';
import type { FileStat, InputFile, ToolCall } from '../hands.ts';

/** Header with the sandbox's generation, in decimal. */
export const GENERATION_HEADER = 'x-longhand-generation';
/** Header with the lower-case hex SHA-256 of a checkpoint's bytes. */
export const SHA256_HEADER = 'x-longhand-sha256';
/** Longest `GET /calls/{id}?wait=` that the server grants, milliseconds. */
export const MAX_WAIT_MS = 25_000;
/** Characters of a result's text above which the model gets head, tail and the path of a file with everything. */
export const MAX_TEXT = 100_000;

/** Folders of a sandbox, the same in every provider. */
export const WORKSPACE = '/workspace';
export const HOME = '/home/agent';
export const SESSION_DIR = '/mnt/session';
/** Read-only for the agent: the files that a session was given, and its skills. */
export const UPLOADS = `${SESSION_DIR}/uploads`;
export const OUTPUTS = `${SESSION_DIR}/outputs`;
export const SKILLS = `${WORKSPACE}/skills`;
/** Where the tool server looks for programs: nothing there is the agent's. */
export const PATH = '/usr/local/bin:/usr/bin:/bin';
/** Uid and gid of commands and file tools. The tool server has another one. */
export const AGENT_UID = 1000;

/** The tool server's settings: a JSON file that only it can read. */
export interface ServerConfig {
  /** Empty in one that was made ahead of need, until it is claimed. */
  sessionId: string;
  /** 0 in one that was made ahead of need, which no call can name. */
  generation: number;
  /** How the hands reach it: it dials their Unix socket, or listens on a port of the sandbox's own network. */
  serve: { dial: string } | ListenConfig;
  /** Loopback port that the agent's side dials, where that is another container; absent: it is this one. */
  shellPort?: number;
  /** Folder of the journal, on a mount of its own, mode 0700. */
  journalDir: string;
  /** Folder on a small mount of its own where commands find their text; readable by them, not writable. */
  runDir: string;
  /** Bytes of one call's output that are kept at all. */
  outputBytes: number;
  /** Bytes of memory that everything in the sandbox may use; the server kills the agent's processes above it. */
  memoryBytes: number;
  /** Processes and threads of the agent. */
  pids: number;
  /** Files, directories and links that the agent may make. */
  inodes: number;
  checkpoint: CheckpointLimits;
  /** Folders in which they are counted; default `/`, without what is mounted below. */
  countIn?: string[];
  /** What the first command of each thread is told about its shell; absent in a session's first sandbox. */
  shellNote?: string;
  /** {@link SKILLS} is a mount of its own, which the agent cannot write to and checkpoints leave out. */
  skills?: true;
  /** Whether files must be restored (`PUT /checkpoint`) before the first call is taken. */
  awaitRestore: boolean;
}

/** How much of the agent's files is kept, bytes. */
export interface CheckpointLimits {
  /** Packed: a checkpoint lies on the journal's mount while it is made. */
  packed: number;
  /** As a tar, with the sizes that the files claim: gVisor does not say where a file has holes. */
  whole: number;
}

/** A tool server that listens. Everything in the sandbox shares its network, so callers and server prove who they are. */
export interface ListenConfig {
  /** TCP port, at the sandbox's own address. */
  port: number;
  /** Lower-case hex SHA-256 of the bearer token that every request must show. */
  tokenSha256: string;
  /** Hex key of the connections, 32 bytes: hands show their token to nobody who does not know it. */
  psk: string;
}

/** State of a call, the answer of `POST /calls/{id}` and `GET /calls/{id}`. */
export type CallState =
  | { state: 'accepted' }
  | { state: 'started'; startedAt: string }
  | { state: 'finished'; startedAt: string; finishedAt: string; content: ResultBlock[]; isError: boolean }
  /** Started once, and its process is gone without a result. */
  | { state: 'unknown'; message: string };

/** Body of `POST /calls/{id}`. */
export type CallRequest = Omit<ToolCall, 'id' | 'attempt'>;

/** Body of `POST /stop`. */
export interface StopRequest {
  thread: string;
  /** Absent: all running and waiting calls of the thread. */
  ids?: string[];
}

/** Answer of `GET /health`. */
export interface Health {
  sessionId: string;
  generation: number;
  /** Whether calls are taken: nothing is left to restore. */
  ready: boolean;
}

/** Body of `PUT /claim`: what a sandbox that was made ahead of need becomes. Once; the same again is no error. */
export type Claim = Pick<ServerConfig, 'sessionId' | 'generation' | 'shellNote' | 'awaitRestore'>;

/** Answer of `GET /files?path=`. */
export interface FileListing {
  files: FileStat[];
}

/** Answer of `GET /inputs`: the read-only files that are in place. */
export interface InputListing {
  files: InputFile[];
}

/** Body of every answer with a status of 400 or more. */
export interface Failure {
  error: string;
}
