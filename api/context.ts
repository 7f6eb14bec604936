/** What the routes work with: the parts they are given, and the request at hand. */
import type { ModelInfo } from '@anthropic-ai/sdk/resources/models';
import type { Context } from 'hono';
import type { Logger } from 'pino';
import type { SessionClient } from '../client/session.ts';
import type { Bus } from '../events/bus.ts';
import { newObjectId } from '../events/ids.ts';
import type { ModelSpec } from '../harness/model-spec.ts';
import type { Blobs } from '../store/blobs/blobs.ts';
import type { Database, Queries } from '../store/database.ts';
import type { LogStore } from '../store/log.ts';
import type { SessionSettings } from '../workflows/contract.ts';
import type { StreamTimes } from './live.ts';
import type { FormFile } from './multipart.ts';

/** A model as `GET /v1/models` shows it; what is not known is shown as unknown. */
export interface CatalogueModel extends ModelSpec {
  displayName?: string;
  line?: ModelInfo['line'];
  /** RFC 3339 */
  createdAt?: string;
}

/** The models that agents may name. */
export interface ModelCatalogue {
  /** Those that the operator or Longhand knows, newest first. */
  known(): CatalogueModel[];
  /** Every id has a spec: unknown ones get stated defaults. */
  find(id: string): ModelSpec;
}

/** How one part of the system is. */
export interface PartHealth {
  ok: boolean;
  /** What is wrong and what to do; absent when `ok`. */
  reason?: string;
}

export interface FileSettings {
  /** Bytes that the uploads of one workspace may have together; default 100 GB. */
  quotaBytes?: number;
  /** Uploads may be downloaded again; the hosted API, and the default, give out only what agents made. */
  downloadUploads?: boolean;
  /** Folder with the operator's own skills of type `anthropic`, one folder each; absent: there are none. */
  skillsDir?: string;
}

/** A kind of sandboxes that the operator offers. */
export interface OfferedTarget {
  /** Task queue of the hands that make them. */
  handsQueue: string;
  /** Images that environments may ask for. */
  images: readonly string[];
}

export interface ApiSettings {
  /** Origins that browsers may call from (`LONGHAND_ALLOWED_ORIGINS`); empty: none. */
  allowedOrigins: string[];
  /** Host names that the Host header may hold on a loopback address, besides localhost, 127.0.0.1 and [::1]. */
  allowedHosts: string[];
  /** The key that the operator chose (`LONGHAND_API_KEY`); demanded on any address other than loopback. */
  explicitKey?: string;
  /** Frozen into new sessions. */
  session: SessionSettings;
  /** Task queue of the hands for new sessions. */
  handsQueue: string;
  /** What environments may ask for instead, by name; absent: none are set up, and asking is refused. */
  targets?: ReadonlyMap<string, OfferedTarget>;
  /** Harness of new sessions. */
  harness: string;
  /** Longest that a request may take, ms; default 60 s. A retry then joins what is still going on. */
  handlerMs?: number;
  files?: FileSettings;
  /** How streams keep time; tests are in a hurry. */
  streams?: Partial<StreamTimes>;
}

export interface ApiDeps {
  database: Database;
  logStore: LogStore;
  sessionClient: SessionClient;
  bus: Bus;
  blobs: Blobs;
  models: ModelCatalogue;
  settings: ApiSettings;
  /** Asked for by `GET /healthz`: Temporal, database, workers, sandbox. */
  health(): Promise<Record<string, PartHealth>>;
  log: Logger;
  /** ms since the epoch. */
  now(): number;
  /** A float in [0, 1) from a cryptographic source: ids are made of it. */
  random(): number;
}

/** Who calls. */
export interface Caller {
  keyId: string;
  workspaceId: string;
}

/** What middleware leaves for the routes. */
export interface Variables {
  requestId: string;
  caller: Caller;
}

export type Env = {
  Variables: Variables;
  Bindings: { incoming?: import('node:http').IncomingMessage; outgoing?: import('node:http').ServerResponse };
};

/** One checked request. */
export interface Request<Query = unknown, Body = unknown> {
  deps: ApiDeps;
  /** Queries, inside the request's transaction where it has one. */
  db: Queries;
  caller: Caller;
  /** What a multipart route was sent; empty for others. */
  files: FormFile[];
  /** Ids from the path. */
  params: Record<string, string>;
  query: Query;
  body: Body;
  /** Names this request's effects: the same for every attempt of it. */
  effectId: string;
  /** When the first attempt of it arrived. */
  since: Date;
  c: Context<Env>;
}

export function makeId(deps: Pick<ApiDeps, 'now' | 'random'>, prefix: string): string {
  return newObjectId(prefix, deps.now(), deps.random);
}
