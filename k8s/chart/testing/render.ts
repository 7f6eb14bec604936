/** The chart as Helm renders it and Kubernetes' own types understand it. */
import { execFile, spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findProgram } from '../../../workers/programs/find-program.ts';
import { HELM, KUBERNETES_STRICT } from '../../../workers/programs/program.ts';

export const CHART = fileURLToPath(new URL('..', import.meta.url));
export const LEAST = fileURLToPath(new URL('values-least.yaml', import.meta.url));
export const FULL = fileURLToPath(new URL('values-full.yaml', import.meta.url));
export const RELEASE_NAMESPACE = 'agents-system';

interface EnvVar {
  name: string;
  value?: string;
  valueFrom?: { secretKeyRef?: { name: string; key: string } };
}

interface Probe {
  exec?: { command: string[] };
  httpGet?: { path: string };
}

export interface Container {
  name: string;
  image: string;
  args?: string[];
  env?: EnvVar[];
  envFrom?: unknown[];
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> };
  securityContext?: Record<string, unknown>;
  startupProbe?: Probe;
  readinessProbe?: Probe;
  livenessProbe?: Probe;
  volumeMounts?: { name: string; mountPath: string; readOnly?: boolean }[];
}

export interface PodSpec {
  serviceAccountName?: string;
  automountServiceAccountToken?: boolean;
  enableServiceLinks?: boolean;
  hostNetwork?: boolean;
  terminationGracePeriodSeconds?: number;
  securityContext?: Record<string, unknown>;
  containers: Container[];
  initContainers?: Container[];
  volumes?: { name: string; secret?: { secretName: string }; hostPath?: unknown; configMap?: { name: string } }[];
}

export type Labels = Record<string, string>;
export interface Selector {
  matchLabels?: Labels;
  matchExpressions?: unknown[];
}
export interface Peer {
  podSelector?: Selector;
  namespaceSelector?: Selector;
  ipBlock?: { cidr: string; except?: string[] };
}
interface Rule {
  from?: Peer[];
  to?: Peer[];
  ports?: { port?: number | string; protocol?: string }[];
}

/** As much of a Kubernetes object as is looked at here. */
export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Labels; annotations?: Labels };
  data?: Record<string, string>;
  rules?: { apiGroups: string[]; resources: string[]; verbs: string[] }[];
  roleRef?: { kind: string; name: string };
  subjects?: { kind: string; name: string; namespace?: string }[];
  spec?: {
    replicas?: number;
    podSelector?: Selector;
    policyTypes?: string[];
    ingress?: Rule[];
    egress?: Rule[];
    selector?: Selector;
    template?: { metadata: { labels: Labels }; spec: PodSpec };
    scaleTargetRef?: { name: string };
    maxUnavailable?: number;
    policyName?: string;
    paramRef?: { name: string; namespace: string };
    matchResources?: { namespaceSelector?: Selector };
    hard?: Record<string, string>;
    [other: string]: unknown;
  };
}

const run = promisify(execFile);
const BIG = 32 * 1024 ** 2;
const onProgress = (line: string) => console.log(line);

/** @returns what Helm prints. @throws Error with Helm's words. */
export async function helm(...args: string[]): Promise<string> {
  const program = await findProgram(HELM, { onProgress });
  const { stdout } = await run(program, args, { cwd: CHART, maxBuffer: BIG });
  return stdout;
}

/** @param args - further ones, such as `--set`. */
export async function template(values: string, ...args: string[]): Promise<string> {
  const place = ['--namespace', RELEASE_NAMESPACE, '--kube-version', `v${KUBERNETES_STRICT.version}`];
  return await helm('template', 'longhand', CHART, '--values', values, ...place, ...args);
}

/** @returns the objects. @throws Error that names each document that Kubernetes' types refuse. */
export async function decode(manifests: string): Promise<KubernetesObject[]> {
  const child = spawn(await findProgram(KUBERNETES_STRICT, { onProgress }), { stdio: 'pipe' });
  child.stdin.end(manifests);
  const ended = new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve));
  const [out, words, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  if (code !== 0) throw new Error(words.trim());
  return out
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as KubernetesObject);
}

/** What runs as pods: labels, and the pod. */
export function pods(objects: KubernetesObject[]): { name: string; labels: Labels; spec: PodSpec }[] {
  return objects.flatMap(({ kind, metadata, spec }) => {
    const { name, labels = {} } = metadata;
    if (kind === 'Pod') return [{ name, labels, spec: spec as unknown as PodSpec }];
    if (!spec?.template) return [];
    return [{ name, labels: spec.template.metadata.labels, spec: spec.template.spec }];
  });
}

export function selects({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Labels): boolean {
  if (matchExpressions.length > 0) throw new Error('The chart’s selectors have no expressions; this reads none.');
  return Object.entries(matchLabels).every(([name, value]) => labels[name] === value);
}
