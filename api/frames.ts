/**
 * Server-sent event frames on their way to one client. Nothing is buffered without end: who writes waits until the
 * client has read, and a client that does not read for too long is cut off.
 */

/** Bytes that may wait for a client; one frame may be larger. */
const BUFFER_BYTES = 256 * 1024;
const encoder = new TextEncoder();

export interface Frames {
  body: ReadableStream<Uint8Array>;
  /** Aborted when the client went away, was cut off, or the stream was ended. */
  signal: AbortSignal;
  /** True while the client keeps up: best-effort frames are left out otherwise. */
  hasRoom(): boolean;
  /** Resolves when there is room for more. Does nothing once the stream has ended. */
  send(frame: string): Promise<void>;
  /** @param last - a frame that is sent first, if there is room for it. */
  end(last?: string): void;
}

/**
 * @param slowMs - a client that leaves the buffer full for so long is cut off.
 * @param cut - closes its connection: what is buffered for it will never be read.
 */
export function createFrames(slowMs: number, cut: () => void): Frames {
  const over = new AbortController();
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  let room = Promise.withResolvers<void>();
  const body = new ReadableStream<Uint8Array>(
    {
      start: (own) => {
        controller = own;
      },
      pull: () => room.resolve(),
      cancel: () => over.abort(),
    },
    new ByteLengthQueuingStrategy({ highWaterMark: BUFFER_BYTES }),
  );
  over.signal.addEventListener('abort', () => room.resolve());
  const hasRoom = () => !over.signal.aborted && (controller?.desiredSize ?? 0) > 0;

  return {
    body,
    signal: over.signal,
    hasRoom,
    async send(frame) {
      if (over.signal.aborted) return;
      controller?.enqueue(encoder.encode(frame));
      if (hasRoom()) return;
      room = Promise.withResolvers();
      const slow = setTimeout(() => {
        over.abort();
        cut();
      }, slowMs);
      await room.promise;
      clearTimeout(slow);
    },
    end(last) {
      if (over.signal.aborted) return;
      if (last) controller?.enqueue(encoder.encode(last));
      over.abort();
      controller?.close();
    },
  };
}

/** @param seq - sent as the frame's id, where a client may resume. */
export function frame(event: { type: string; error?: unknown }, seq?: number): string {
  const id = seq === undefined ? '' : `id: ${seq}\n`;
  return `${id}event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}
