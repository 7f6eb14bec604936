/**
 * The blob store: bytes too large for history, in one part per session, named by their content. Blobs belong to the
 * log and live as long as the session.
 */
import type { Readable } from 'node:stream';

/** Names stored bytes within a session's part. */
export interface BlobName {
  /** Lower-case hex SHA-256 of the bytes. */
  sha256: string;
  bytes: number;
}

export interface Blobs {
  /** Stores bytes; storing the same ones again is free. */
  put(sessionId: string, body: Uint8Array): Promise<BlobName>;
  /** Stores a stream without holding it in memory. Throws, and keeps nothing, past `maxBytes`. */
  putStream(sessionId: string, body: Readable, maxBytes?: number): Promise<BlobName>;
  /** Reads bytes back and checks them against their name; throws {@link BlobMissingError} or {@link BlobCorruptError}. */
  get(sessionId: string, sha256: string): Promise<Buffer>;
  /** As `get`, streamed; the check happens at the end and destroys the stream with an error. */
  getStream(sessionId: string, sha256: string): Promise<Readable>;
  /** Removes all of a session's blobs. Safe to repeat. */
  removeSession(sessionId: string): Promise<void>;
}

/** Thrown by `get` when nothing is stored under that name: the log refers to bytes that are gone. */
export class BlobMissingError extends Error {
  override name = 'BlobMissingError';
  constructor(sessionId: string, sha256: string) {
    super(`Blob ${sha256} of session ${sessionId} is missing from the blob store; was its folder removed by hand?`);
  }
}

/** Thrown by `get` when the stored bytes do not match their name. */
export class BlobCorruptError extends Error {
  override name = 'BlobCorruptError';
  constructor(sessionId: string, sha256: string) {
    super(`Blob ${sha256} of session ${sessionId} does not match its hash: the disk or a person changed it.`);
  }
}
