/**
 * Which fault of a line comes next. The one thing that the player counts between requests: a request that is repeated
 * looks like the first, so "fails twice, then works" cannot follow from the conversation. Conversations are told apart by
 * their messages and `metadata.user_id`; the counts die with the server.
 */
import { createHash } from 'node:crypto';
import type { MessageCreateParamsBase } from '@anthropic-ai/sdk/resources/messages';
import type { Fault, Step } from './script.ts';

export interface FaultCounter {
  /** The fault that this request meets, or undefined once all have been met. */
  next(step: Step, request: MessageCreateParamsBase): Fault | undefined;
}

export function createFaultCounter(): FaultCounter {
  const met = new Map<string, number>();
  return {
    next(step, request) {
      if (step.faults.length === 0) return undefined;
      const key = keyOf(step, request);
      const count = met.get(key) ?? 0;
      met.set(key, count + 1);
      let until = 0;
      return step.faults.find((fault) => {
        until += fault.times;
        return count < until;
      });
    },
  };
}

function keyOf(step: Step, request: MessageCreateParamsBase): string {
  const messages = JSON.stringify(request.messages, (key, value: unknown) =>
    key === 'cache_control' ? undefined : value,
  );
  const user = request.metadata?.user_id ?? '';
  return createHash('sha256').update(`${step.path}\n${user}\n${messages}`).digest('base64');
}
