/** What other services ask over Temporal: the answers, as activities. */
import { ApplicationFailure } from '@temporalio/common';
import type { Blobs } from '../store/blobs/blobs.ts';
import {
  type Answered,
  MAX_SERVICE_BYTES,
  REFUSED,
  type Refused,
  type ServiceActivities,
  type SessionService,
} from '../workflows/service-contract.ts';

export interface ServiceDeps {
  service: SessionService;
  blobs: Pick<Blobs, 'get'>;
  readEvents: ServiceActivities['getEvents'];
  wake: ServiceActivities['wake'];
  awaitEnd: ServiceActivities['awaitEnd'];
}

export function createServiceActivities(deps: ServiceDeps): ServiceActivities {
  const { service, blobs } = deps;
  return {
    startSession: async (input) => orRefuse(await service.start(input)),
    getSession: async (input) => fitting(input.session, orRefuse(await service.show(input))),
    getEvents: deps.readEvents,
    getPart: async ({ session, sha256, from }) =>
      (await blobs.get(session, sha256)).subarray(from, from + MAX_SERVICE_BYTES),
    prepareEvents: async (input) => orRefuse(await service.prepare(input)),
    wake: deps.wake,
    awaitEnd: deps.awaitEnd,
  };
}

/** An answer that was refused does not get better by asking again. */
export function refusal(refused: Refused): ApplicationFailure {
  return ApplicationFailure.create({
    message: refused.message,
    type: REFUSED,
    nonRetryable: true,
    details: [refused],
    category: 'BENIGN',
  });
}

export function sessionNotFound(session: string): ApplicationFailure {
  return refusal({ status: 404, type: 'not_found_error', message: `Session ${session} was not found.` });
}

function orRefuse<T>(answer: Answered<T>): T {
  if (!answer.ok) throw refusal(answer.refused);
  return answer.value;
}

function fitting<T>(session: string, value: T): T {
  const bytes = Buffer.byteLength(JSON.stringify(value));
  if (bytes <= MAX_SERVICE_BYTES) return value;
  const message = `Session ${session} is ${bytes} bytes long with its agent, too much for Temporal; read it over HTTP.`;
  throw refusal({ status: 413, type: 'request_too_large', message });
}
