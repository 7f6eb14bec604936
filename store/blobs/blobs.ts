/**
 * The blob store: bytes too large for history, and the bytes of files, named by their content. It is divided into areas:
 * one per session (`sesn_…`), whose blobs belong to the log and live as long as the session; one per workspace
 * (`wrkspc_…`) for its files and skills; and within either a named corner (`sesn_…/outputs`), which goes with it.
 */
import type { Readable } from 'node:stream';

/** Names stored bytes within an area. */
export interface BlobName {
  /** Lower-case hex SHA-256 of the bytes. */
  sha256: string;
  bytes: number;
}

/** Bytes `start` to `end`, both included, of a blob. */
export interface ByteRange {
  start: number;
  end: number;
}

export interface Blobs {
  /** Stores bytes; storing the same ones again is free. */
  put(area: string, body: Uint8Array): Promise<BlobName>;
  /** Stores a stream without holding it in memory. Throws {@link BlobTooLargeError}, and keeps nothing, past `maxBytes`. */
  putStream(area: string, body: Readable, maxBytes?: number): Promise<BlobName>;
  /** Reads bytes back and checks them against their name; throws {@link BlobMissingError} or {@link BlobCorruptError}. */
  get(area: string, sha256: string): Promise<Buffer>;
  /**
   * As `get`, streamed. The check happens at the end: the last bytes are held back until it has passed, and a blob that
   * fails it destroys the stream with an error. With a `range` that is not the whole there is nothing to check against.
   */
  getStream(area: string, sha256: string, range?: ByteRange): Promise<Readable>;
  /** Bytes of a blob; undefined when there is none. */
  size(area: string, sha256: string): Promise<number | undefined>;
  /** Makes a blob of one area one of another too, without moving bytes where that can be. Safe to repeat. */
  copy(from: string, to: string, sha256: string): Promise<void>;
  /**
   * Removes blobs that nobody refers to, and what broken-off writes left. Only what was written more than `olderThanMs`
   * ago is looked at: whoever stores bytes has so long to store a reference to them.
   * @param referred - gets names and says which of them are referred to. @returns how many were removed.
   */
  removeUnreferred(
    area: string,
    olderThanMs: number,
    referred: (sha256: string[]) => Promise<ReadonlySet<string>>,
  ): Promise<number>;
  /** Removes one blob. Safe to repeat. */
  remove(area: string, sha256: string): Promise<void>;
  /** Removes all of an area's blobs, its corners included. Safe to repeat. */
  removeArea(area: string): Promise<void>;
}

/** Thrown by `putStream` when more bytes came than were allowed. */
export class BlobTooLargeError extends Error {
  override name = 'BlobTooLargeError';
  readonly maxBytes: number;
  constructor(maxBytes: number) {
    super(`The stream is larger than the limit of ${maxBytes} bytes.`);
    this.maxBytes = maxBytes;
  }
}

/** Thrown by `get` when nothing is stored under that name: whoever refers to these bytes has lost them. */
export class BlobMissingError extends Error {
  override name = 'BlobMissingError';
  constructor(area: string, sha256: string) {
    super(`Blob ${sha256} of ${area} is missing from the blob store; was its folder removed by hand?`);
  }
}

/** Thrown by `get` when the stored bytes do not match their name. */
export class BlobCorruptError extends Error {
  override name = 'BlobCorruptError';
  constructor(area: string, sha256: string) {
    super(`Blob ${sha256} of ${area} does not match its hash: the disk or a person changed it.`);
  }
}
