/**
 * What an API server keeps, for tests: objects of one kind with their versions, compare-and-swap, graceful deletion and
 * the log of events that a watch is made of. Follows the Kubernetes API concepts ("resource versions", "deletion").
 */
import { randomUUID } from 'node:crypto';

export interface Stored {
  metadata: {
    name: string;
    namespace?: string;
    uid: string;
    resourceVersion: string;
    creationTimestamp: string;
    deletionTimestamp?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  spec?: Record<string, unknown>;
  status?: Record<string, unknown>;
}

export interface StoreEvent {
  version: number;
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  object: Stored;
}

/** An answer of the API server that is a refusal. */
export class StatusError extends Error {
  readonly code: number;
  readonly reason: string;
  constructor(code: number, reason: string, message: string) {
    super(message);
    this.code = code;
    this.reason = reason;
  }
}

export interface Preconditions {
  uid?: string;
  resourceVersion?: string;
}

export interface Store {
  /** Newest resource version; all kinds of a fake server share the count. */
  version(): number;
  list(labelSelector?: string): Stored[];
  read(name: string): Stored;
  create(body: Partial<Stored>): Stored;
  replace(name: string, body: Partial<Stored>): Stored;
  /** RFC 7386; a `metadata.resourceVersion` in it is compared. */
  patch(name: string, patch: unknown): Stored;
  /** @param graceMs - how long it stays with a deletionTimestamp. */
  delete(name: string, graceMs: number, preconditions?: Preconditions): Stored;
  /** Events after `version`, and from then on the new ones; returns how to stop. */
  follow(version: number, see: (event: StoreEvent) => void): () => void;
  close(): void;
}

export function openStore(kind: string, count: { version: number }): Store {
  const objects = new Map<string, Stored>();
  const log: StoreEvent[] = [];
  const followers = new Set<(event: StoreEvent) => void>();
  const timers = new Set<NodeJS.Timeout>();

  const happen = (type: StoreEvent['type'], object: Stored): Stored => {
    count.version++;
    object.metadata.resourceVersion = String(count.version);
    const event = { version: count.version, type, object: structuredClone(object) };
    log.push(event);
    for (const see of followers) see(event);
    return structuredClone(object);
  };
  const find = (name: string): Stored => {
    const found = objects.get(name);
    if (!found) throw new StatusError(404, 'NotFound', `${kind} "${name}" not found`);
    return found;
  };
  const compare = ({ metadata }: Stored, wanted: Preconditions = {}) => {
    const differs =
      (wanted.uid !== undefined && wanted.uid !== metadata.uid) ||
      (wanted.resourceVersion !== undefined && wanted.resourceVersion !== metadata.resourceVersion);
    if (differs) throw new StatusError(409, 'Conflict', `${kind} "${metadata.name}": the object has been modified`);
  };
  const remove = (object: Stored): Stored => {
    objects.delete(object.metadata.name);
    return happen('DELETED', object);
  };

  return {
    version: () => count.version,
    list: (selector) =>
      [...objects.values()].filter((one) => isSelected(one, selector)).map((one) => structuredClone(one)),
    read: (name) => structuredClone(find(name)),
    create(body) {
      const name = body.metadata?.name ?? '';
      const there = objects.get(name);
      if (there) {
        const dying = there.metadata.deletionTimestamp ? 'object is being deleted: ' : '';
        throw new StatusError(409, 'AlreadyExists', `${dying}${kind} "${name}" already exists`);
      }
      const own = { uid: randomUUID(), resourceVersion: '', creationTimestamp: new Date().toISOString() };
      const made: Stored = structuredClone({ ...body, metadata: { ...body.metadata, ...own, name } });
      objects.set(name, made);
      return happen('ADDED', made);
    },
    replace(name, body) {
      const found = find(name);
      compare(found, { resourceVersion: body.metadata?.resourceVersion });
      const { uid, creationTimestamp, resourceVersion } = found.metadata;
      const metadata = { ...body.metadata, name, uid, creationTimestamp, resourceVersion };
      const next: Stored = structuredClone({ ...body, metadata });
      objects.set(name, next);
      return happen('MODIFIED', next);
    },
    patch(name, patch) {
      const found = find(name);
      compare(found, { resourceVersion: (patch as Partial<Stored>).metadata?.resourceVersion });
      const next = merged(found, patch) as Stored;
      objects.set(name, next);
      return happen('MODIFIED', next);
    },
    delete(name, graceMs, preconditions) {
      const found = find(name);
      compare(found, preconditions);
      if (graceMs <= 0) return remove(found);
      if (found.metadata.deletionTimestamp) return structuredClone(found);
      found.metadata.deletionTimestamp = new Date().toISOString();
      const timer = setTimeout(() => {
        timers.delete(timer);
        const now = objects.get(name);
        if (now?.metadata.uid === found.metadata.uid) remove(now);
      }, graceMs);
      timers.add(timer);
      return happen('MODIFIED', found);
    },
    follow(version, see) {
      for (const event of log) if (event.version > version) see(event);
      followers.add(see);
      return () => followers.delete(see);
    },
    close() {
      for (const timer of timers) clearTimeout(timer);
      followers.clear();
    },
  };
}

/** `a`, `a=b` and `a!=b`, joined by commas. */
export function isSelected({ metadata: { labels = {} } }: Stored, selector = ''): boolean {
  return selector
    .split(',')
    .filter(Boolean)
    .every((part) => {
      const [, name = '', operator, value] = /^([^!=]+)(!=|=)?(.*)$/.exec(part) ?? [];
      if (operator === '!=') return labels[name] !== value;
      return operator === '=' ? labels[name] === value : name in labels;
    });
}

function merged(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return structuredClone(patch);
  const result: Record<string, unknown> = typeof target === 'object' && target !== null ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = merged(result[name], value);
  }
  return result;
}
