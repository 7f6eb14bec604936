/** Names, labels and tokens of sandboxes. All come of the session and an installation's key, so any worker knows them. */
import { createHash, createHmac } from 'node:crypto';

/** The port of the tool server; network policies name it. */
export const TOOL_PORT = 8374;

export const LABELS = {
  /** On every sandbox; network and admission policies go by it. */
  app: 'app.kubernetes.io/name',
  /** Hash of the session (and copy) that it belongs to. */
  session: 'longhand/session',
  generation: 'longhand/generation',
  /** Hash of the installation's key: two installations in one namespace leave each other's alone. */
  owner: 'longhand/owner',
  /** On a pod that was made ahead of need: hash of what it was made of. It stays when it is claimed. */
  pool: 'longhand/pool',
  /** Of such a pod: `starting`, `ready` or `claimed`. */
  state: 'longhand/state',
} as const;
export const APP = 'longhand-sandbox';
/** Annotation with the session's own id, for people. */
export const SESSION_ANNOTATION = 'longhand/session-id';

export interface Whose {
  sessionId: string;
  copy?: string;
}

/** 80 bits of a hash, safe in names and labels. */
export function sessionHash({ sessionId, copy }: Whose): string {
  return hash(copy === undefined ? sessionId : `${sessionId}\n${copy}`);
}

/** Carries the generation: a dying pod keeps its name. */
export function podName(whose: Whose & { generation: number }): string {
  return `${leaseName(whose)}-${whose.generation}`;
}

/** Of the object that remembers a session's newest generation. */
export function leaseName(whose: Whose): string {
  return `lh-${sessionHash(whose)}`;
}

export function ownerHash(key: Buffer): string {
  return createHmac('sha256', key).update('owner').digest('hex').slice(0, 20);
}

export interface PodKeys {
  /** What the hands show; the pod knows only its SHA-256. */
  token: string;
  tokenSha256: string;
  /** Encrypts connections; hex. Who does not know it is not the tool server. */
  psk: string;
}

/** Keys of one pod, and so of one session and generation. */
export function podKeys(key: Buffer, pod: string): PodKeys {
  const made = (use: string) => createHmac('sha256', key).update(`${use}\n${pod}`);
  const token = made('token').digest('base64url');
  return {
    token,
    tokenSha256: createHash('sha256').update(token).digest('hex'),
    psk: made('connections').digest('hex'),
  };
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 20);
}
