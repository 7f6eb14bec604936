/**
 * The way to the API server: @kubernetes/client-node with what it leaves out. One dispatcher for all calls (it would
 * make a TLS connection per request), and a deadline on every call (it has none).
 */
import { ApiException, CoordinationV1Api, CoreV1Api, KubeConfig, type RequestContext } from '@kubernetes/client-node';

const CALL_MS = 15_000;
/** A dispatcher keeps the certificates that it was made with; rotated ones are taken up after this long, ms. */
const DISPATCHER_MS = 10 * 60_000;

type Dispatcher = NonNullable<ReturnType<RequestContext['getDispatcher']>>;

class SharedConnections extends KubeConfig {
  readonly #callMs: number;
  #shared: { dispatcher: Dispatcher; until: number } | undefined;

  constructor(callMs: number) {
    super();
    this.#callMs = callMs;
  }

  override async applySecurityAuthentication(context: RequestContext): Promise<void> {
    await super.applySecurityAuthentication(context);
    context.setSignal(AbortSignal.timeout(this.#callMs));
    const made = context.getDispatcher();
    if (!made) return;
    if (!this.#shared || this.#shared.until < Date.now()) {
      // What is under way on the old one goes on; it closes when that has ended.
      this.#shared?.dispatcher.close().catch(() => undefined);
      this.#shared = { dispatcher: made, until: Date.now() + DISPATCHER_MS };
    }
    context.setDispatcher(this.#shared.dispatcher);
  }

  async close(): Promise<void> {
    const shared = this.#shared;
    this.#shared = undefined;
    await shared?.dispatcher.destroy();
  }
}

export interface Cluster {
  config: KubeConfig;
  core: CoreV1Api;
  coordination: CoordinationV1Api;
  close(): Promise<void>;
}

/**
 * Where the cluster is and who we are there. Default: a kubeconfig (KUBECONFIG, or the user's), or what Kubernetes gives
 * to a pod's service account.
 * @param callMs - deadline of each call, milliseconds.
 */
export function connectCluster(load = (config: KubeConfig) => config.loadFromDefault(), callMs = CALL_MS): Cluster {
  const config = new SharedConnections(callMs);
  load(config);
  return {
    config,
    core: config.makeApiClient(CoreV1Api),
    coordination: config.makeApiClient(CoordinationV1Api),
    close: () => config.close(),
  };
}

/** HTTP status of an answer of the API server; undefined for an error of another kind, such as a lost connection. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof ApiException ? error.code : undefined;
}

/** What the API server said, in its own words. */
export function wordsOf(error: unknown): string {
  if (!(error instanceof ApiException)) {
    const cause = (error as Error).cause;
    return cause instanceof Error ? `${(error as Error).message} (${cause.message})` : (error as Error).message;
  }
  try {
    return (JSON.parse(String(error.body)) as { message?: string }).message ?? `HTTP ${error.code}`;
  } catch {
    return `HTTP ${error.code}`;
  }
}

/** The answer, or undefined for "not found". */
export async function orMissing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw error;
  }
}
