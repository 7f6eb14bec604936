/**
 * The pod of a sandbox, with every field that keeps it closed said aloud: nothing is left to a default of the cluster.
 * Two containers, because Kubernetes' `restricted` level has one uid per container: the supervisor holds the journal and
 * the keys, the shell runs the agent's commands. They share a network and the folders named here, and nothing else.
 */
import { createHash } from 'node:crypto';
import type { V1Affinity, V1Container, V1Pod, V1VolumeMount } from '@kubernetes/client-node';
import { checkpointLimits } from '../checkpoints.ts';
import type { SandboxLimits, SandboxSpec } from '../hands.ts';
import { AGENT_UID, HOME, OUTPUTS, type ServerConfig, SKILLS, UPLOADS, WORKSPACE } from '../server/protocol.ts';
import { targetOf } from '../targets.ts';
import { APP, LABELS, ownerHash, podKeys, podName, SESSION_ANNOTATION, sessionHash, TOOL_PORT } from './names.ts';
import { DEFAULT_LIFE_SECONDS, DEFAULT_LIMITS, DEFAULT_REQUEST_SHARE, type KubernetesOptions } from './options.ts';

export const SUPERVISOR = 'supervisor';
export const SHELL = 'shell';
const SUPERVISOR_UID = 1001;

const PROGRAMS = '/opt/longhand';
const JOURNAL = '/var/lib/longhand';
/** On the loopback that both containers share. */
const SHELL_PORT = 8375;
const RUN = '/run/shell';
const KEPT_OUTPUT = '/var/tool-output';

/** Memory of the supervisor, and of the sandbox's kernel, which counts as the pod's. */
const SUPERVISOR_MEMORY = 192 * 1024 ** 2;
const KERNEL_MEMORY = 192 * 1024 ** 2;
/** The journal, results and outputs that were kept, and checkpoints while they are made. */
const SUPERVISOR_DISK_SHARE = 0.5;
const SMALL_DISK = 256 * 1024 ** 2;
/** A file per 16 KiB, as ext4 has by default. */
const DISK_BYTES_PER_INODE = 16 * 1024;
const MEMORY_BYTES_PER_INODE = 8 * 1024;

/** Ends what a shell left behind, when it ends, and starts it again; as process 1 it also reaps what nobody waits for. */
const SHELL_LOOP = `while :; do ${PROGRAMS}/shell ${PROGRAMS}/tool-server.mjs --shell ${SHELL_PORT}; kill -9 -1; done`;

type PodOptions = Pick<
  KubernetesOptions,
  'namespace' | 'image' | 'runtimeClass' | 'key' | 'limits' | 'requestShare' | 'lifeSeconds' | 'targets' | 'node'
>;

/** What the containers of one sandbox are made of, its target looked up. */
interface Made {
  image: string;
  limits: SandboxLimits;
  requestShare: number;
  skills: boolean;
  /** Extended resources of the shell. */
  extended: Record<string, string>;
}

/** A pod that is nobody's yet: it takes no call before it is claimed. */
export function pooledPod(options: PodOptions, name: string, target: string): V1Pod {
  const pod = sandboxPod(options, { sessionId: '', generation: 0, target }, undefined, name);
  const template = templateOf(options, { target });
  const labels = {
    ...pod.metadata?.labels,
    [LABELS.session]: 'none',
    [LABELS.pool]: template,
    [LABELS.state]: 'starting',
  };
  return { ...pod, metadata: { ...pod.metadata, labels, annotations: {} } };
}

/**
 * Names what pods are made of: one that was made of something else is outdated, and none for a sandbox of another target
 * or image that is made of something else.
 */
export function templateOf(options: PodOptions, { target, image }: Pick<SandboxSpec, 'target' | 'image'> = {}): string {
  const spec = { sessionId: '', generation: 0, target, image };
  const pod = sandboxPod(options, spec, undefined, 'template');
  return createHash('sha256').update(JSON.stringify(pod)).digest('hex').slice(0, 20);
}

/**
 * A target changes where the pod may run, what it may use and its image, and nothing of what keeps it closed.
 * @throws TargetRefusedError when there is no such target here, or it does not allow the image.
 */
export function sandboxPod(
  options: PodOptions,
  spec: SandboxSpec,
  shellNote: string | undefined,
  name = podName(spec),
): V1Pod {
  const target = targetOf(options.targets, spec);
  const limits = { ...DEFAULT_LIMITS, ...options.limits, ...target.limits, ...spec.limits };
  const made: Made = {
    image: target.image ?? options.image,
    limits,
    requestShare: options.requestShare ?? DEFAULT_REQUEST_SHARE,
    skills: spec.skills === true,
    extended: Object.fromEntries(Object.entries(target.resources ?? {}).map(([name, count]) => [name, String(count)])),
  };
  const config = serverConfig(options.key, name, spec, limits, shellNote);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: options.namespace,
      labels: {
        [LABELS.app]: APP,
        [LABELS.session]: sessionHash(spec),
        [LABELS.generation]: String(spec.generation),
        [LABELS.owner]: ownerHash(options.key),
      },
      annotations: {
        [SESSION_ANNOTATION]: spec.sessionId,
        'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
      },
    },
    spec: {
      runtimeClassName: options.runtimeClass,
      ...(target.nodeSelector ? { nodeSelector: target.nodeSelector } : {}),
      ...(target.tolerations ? { tolerations: target.tolerations } : {}),
      ...(options.node ? { affinity: onNode(options.node) } : {}),
      automountServiceAccountToken: false,
      serviceAccountName: 'default',
      enableServiceLinks: false,
      hostNetwork: false,
      hostPID: false,
      hostIPC: false,
      shareProcessNamespace: false,
      setHostnameAsFQDN: false,
      hostname: 'sandbox',
      // The shell alone is started again when the agent ends it.
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 1,
      activeDeadlineSeconds: options.lifeSeconds ?? DEFAULT_LIFE_SECONDS,
      dnsPolicy: 'None',
      // There is no way out yet, so there is nobody to ask.
      dnsConfig: { nameservers: ['127.0.0.1'] },
      securityContext: {
        runAsNonRoot: true,
        runAsUser: AGENT_UID,
        runAsGroup: AGENT_UID,
        supplementalGroups: [],
        seccompProfile: { type: 'RuntimeDefault' },
      },
      containers: [supervisor(made, config), shell(made)],
      volumes: [
        volume('journal', limits.diskBytes * SUPERVISOR_DISK_SHARE),
        volume('uploads', limits.diskBytes),
        volume('kept-output', limits.diskBytes * SUPERVISOR_DISK_SHARE),
        ...(spec.skills ? [volume('skills', limits.diskBytes)] : []),
        volume('run', SMALL_DISK),
        volume('supervisor-tmp', SMALL_DISK),
        ...['workspace', 'home', 'outputs', 'tmp', 'var-tmp'].map((one) => volume(one, limits.diskBytes)),
      ],
    },
  };
}

/** As a DaemonSet says it: the scheduler still looks whether there is room. */
function onNode(name: string): V1Affinity {
  const matchFields = [{ key: 'metadata.name', operator: 'In', values: [name] }];
  return {
    nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchFields }] } },
  };
}

const SECURITY = {
  runAsNonRoot: true,
  allowPrivilegeEscalation: false,
  privileged: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
};

function supervisor(made: Made, config: ServerConfig): V1Container {
  const { image, limits, skills } = made;
  const disk = 2 * SUPERVISOR_DISK_SHARE * limits.diskBytes + 3 * SMALL_DISK + limits.diskBytes * (skills ? 2 : 1);
  return {
    name: SUPERVISOR,
    image,
    imagePullPolicy: 'IfNotPresent',
    command: ['/usr/local/bin/node', '--max-old-space-size=128', `${PROGRAMS}/tool-server.mjs`, '-'],
    workingDir: '/',
    env: [
      { name: 'PATH', value: '/usr/local/bin:/usr/bin:/bin' },
      { name: 'LANG', value: 'C.UTF-8' },
      { name: 'LONGHAND_SERVER', value: JSON.stringify(config) },
    ],
    ports: [{ name: 'tools', containerPort: TOOL_PORT, protocol: 'TCP' }],
    resources: resources(made, { cpu: '1', memory: SUPERVISOR_MEMORY, disk }),
    securityContext: { ...SECURITY, runAsUser: SUPERVISOR_UID, runAsGroup: SUPERVISOR_UID },
    volumeMounts: [
      mount('journal', JOURNAL),
      mount('uploads', UPLOADS),
      mount('kept-output', KEPT_OUTPUT),
      ...(skills ? [mount('skills', SKILLS)] : []),
      mount('supervisor-tmp', '/tmp'),
    ],
  };
}

function shell(made: Made): V1Container {
  const { image, limits, skills, extended } = made;
  const memory = limits.memoryBytes + KERNEL_MEMORY;
  return {
    name: SHELL,
    image,
    imagePullPolicy: 'IfNotPresent',
    command: [`${PROGRAMS}/init`, '-c', SHELL_LOOP],
    workingDir: '/',
    env: [
      { name: 'PATH', value: '/usr/local/bin:/usr/bin:/bin' },
      { name: 'LANG', value: 'C.UTF-8' },
    ],
    resources: resources(made, { cpu: String(limits.cpus), memory, disk: limits.diskBytes + SMALL_DISK }, extended),
    securityContext: { ...SECURITY, runAsUser: AGENT_UID, runAsGroup: AGENT_UID },
    volumeMounts: [
      mount('run', RUN),
      mount('workspace', WORKSPACE),
      // A mount inside the agent's folder: the agent can neither write to it nor put another in its place.
      ...(skills ? [mount('skills', SKILLS, true)] : []),
      mount('home', HOME),
      mount('outputs', OUTPUTS),
      mount('uploads', UPLOADS, true),
      mount('kept-output', KEPT_OUTPUT, true),
      mount('tmp', '/tmp'),
      mount('var-tmp', '/var/tmp'),
    ],
  };
}

function serverConfig(
  key: Buffer,
  pod: string,
  spec: SandboxSpec,
  limits: SandboxLimits,
  shellNote: string | undefined,
): ServerConfig {
  const { tokenSha256, psk } = podKeys(key, pod);
  const byDisk = Math.floor(limits.diskBytes / DISK_BYTES_PER_INODE);
  const byMemory = Math.floor(limits.memoryBytes / MEMORY_BYTES_PER_INODE);
  return {
    sessionId: spec.sessionId,
    generation: spec.generation,
    serve: { port: TOOL_PORT, tokenSha256, psk },
    shellPort: SHELL_PORT,
    journalDir: `${JOURNAL}/journal`,
    runDir: `${RUN}/own`,
    outputBytes: limits.outputBytes,
    memoryBytes: limits.memoryBytes,
    pids: limits.pids,
    inodes: Math.max(10_000, Math.min(byDisk, byMemory)),
    checkpoint: checkpointLimits(limits),
    countIn: [WORKSPACE, HOME, OUTPUTS, '/tmp', '/var/tmp'],
    shellNote,
    awaitRestore: spec.restore !== undefined,
    ...(spec.skills ? { skills: true as const } : {}),
  };
}

function resources(
  { requestShare: share }: Made,
  most: { cpu: string; memory: number; disk: number },
  extended: Record<string, string> = {},
) {
  return {
    limits: {
      cpu: most.cpu,
      memory: String(most.memory),
      'ephemeral-storage': String(Math.ceil(most.disk)),
      ...extended,
    },
    requests: {
      cpu: `${Math.max(10, Math.round(Number(most.cpu) * share * 1_000))}m`,
      memory: String(Math.ceil(most.memory * share)),
      'ephemeral-storage': String(Math.ceil(most.disk * Math.min(share, 0.01))),
      // Kubernetes wants them whole: what is asked for is what is set aside.
      ...extended,
    },
  };
}

function volume(name: string, bytes: number) {
  return { name, emptyDir: { sizeLimit: String(Math.ceil(bytes)) } };
}

function mount(name: string, mountPath: string, readOnly = false): V1VolumeMount {
  return { name, mountPath, readOnly };
}
