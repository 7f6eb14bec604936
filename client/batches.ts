/**
 * Requests to one session travel together: one update in flight, the others wait for the next. Fifty separate updates
 * at once would meet Temporal's limit of 10 in flight and take seconds.
 */

import type { SessionAnswer, SessionRequest } from '../workflows/contract.ts';
import { utf8Bytes } from '../workflows/sizes.ts';

/** An update's input at most, bytes of JSON. */
const MAX_BATCH_BYTES = 256 * 1024;

interface Waiting {
  request: SessionRequest;
  bytes: number;
  resolve(answer: SessionAnswer): void;
  reject(error: unknown): void;
}

export interface Batches {
  post(sessionId: string, request: SessionRequest): Promise<SessionAnswer>;
}

/** @param send - one update; answers in the order of the requests. */
export function createBatches(
  send: (sessionId: string, requests: SessionRequest[]) => Promise<SessionAnswer[]>,
): Batches {
  const queues = new Map<string, Waiting[]>();

  async function drain(sessionId: string, queue: Waiting[]): Promise<void> {
    while (queue.length > 0) {
      const batch = queue.splice(0, batchLength(queue));
      try {
        const answers = await send(
          sessionId,
          batch.map((waiting) => waiting.request),
        );
        batch.forEach((waiting, index) => {
          const answer = answers[index];
          if (answer) waiting.resolve(answer);
          else
            waiting.reject(new Error(`Session ${sessionId} answered ${answers.length} of ${batch.length} requests.`));
        });
      } catch (error) {
        for (const waiting of batch) waiting.reject(error);
      }
    }
    queues.delete(sessionId);
  }

  return {
    post(sessionId, request) {
      return new Promise((resolve, reject) => {
        const waiting = { request, bytes: utf8Bytes(JSON.stringify(request)), resolve, reject };
        const queue = queues.get(sessionId);
        if (queue) {
          queue.push(waiting);
          return;
        }
        const fresh = [waiting];
        queues.set(sessionId, fresh);
        void drain(sessionId, fresh);
      });
    },
  };
}

function batchLength(queue: Waiting[]): number {
  let bytes = 0;
  const over = queue.findIndex((waiting) => {
    bytes += waiting.bytes;
    return bytes > MAX_BATCH_BYTES;
  });
  return over === -1 ? queue.length : Math.max(1, over);
}
