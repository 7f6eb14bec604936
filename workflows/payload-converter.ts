/**
 * JSON as Temporal's default converter has it, but reading never throws: a malformed or encrypted signal would
 * otherwise fail every workflow task of its session for ever. What cannot be read becomes {@link UNREADABLE}, which
 * no handler accepts.
 */
import { defaultPayloadConverter, type Payload, type PayloadConverter } from '@temporalio/common';

/** Stands for a payload that could not be decoded. */
export const UNREADABLE = { longhand_unreadable_payload: true } as const;

export const payloadConverter: PayloadConverter = {
  toPayload<T>(value: T): Payload {
    return defaultPayloadConverter.toPayload(value);
  },
  fromPayload<T>(payload: Payload): T {
    try {
      return defaultPayloadConverter.fromPayload<T>(payload);
    } catch {
      return UNREADABLE as T;
    }
  },
};
