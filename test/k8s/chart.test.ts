/**
 * The chart on a real cluster: installed, used, upgraded and removed with Helm. Its pods reach PostgreSQL, Temporal, a bucket
 * and the model on this machine, as they would reach servers outside of the cluster.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHART, helm } from '../../k8s/chart/testing/render.ts';
import { type Rehearsal, startRehearsal } from '../../rehearsal/rehearsal.ts';
import { type Cluster, connectCluster, orMissing } from '../../sandbox/kubernetes/cluster.ts';
import { clusterMissing } from '../../sandbox/kubernetes/testing.ts';
import { createDatabase, startTemporaryPostgres } from '../support/postgres.ts';
import { startProxy } from '../support/proxy.ts';
import { type S3Server, startS3Server } from '../support/s3-server.ts';
import { startTestTemporal } from '../support/temporal.ts';

const { LONGHAND_IMAGE = '', LONGHAND_SANDBOX_IMAGE = '', LONGHAND_TEST_HOST = '' } = process.env;
const missing =
  clusterMissing() ??
  (LONGHAND_IMAGE ? undefined : 'LONGHAND_IMAGE is not set') ??
  (LONGHAND_TEST_HOST ? undefined : 'LONGHAND_TEST_HOST is not set');

const RELEASE = 'longhand';
const NAMESPACE = 'longhand-chart-test';
const SANDBOXES = 'longhand-chart-sandboxes';
const INSTALL_MS = 240_000;

describe.skipIf(missing)(`the chart${missing ? ` (skipped: ${missing})` : ''}`, () => {
  const undo: (() => Promise<unknown>)[] = [];
  let cluster: Cluster;
  let rehearsal: Rehearsal;
  let bucket: S3Server;
  let values: string;
  const apiKey = `lh-${randomBytes(32).toString('hex')}`;

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'longhand-chart-'));
    undo.push(() => rm(folder, { recursive: true }));
    cluster = connectCluster();
    undo.push(() => cluster.close());
    const reached = async (target: string | { path: string }) => {
      const proxy = await startProxy(target, LONGHAND_TEST_HOST);
      undo.push(() => proxy.close());
      return proxy.address;
    };

    const postgres = await startTemporaryPostgres();
    undo.push(() => postgres.remove());
    const url = await createDatabase(postgres.url);
    const [, name, socketFolder] = /@\/(\w+)\?host=(.+)$/.exec(url) ?? [];
    const socket = `${decodeURIComponent(socketFolder ?? '')}/.s.PGSQL.5432`;
    const databaseAddress = await reached({ path: socket });
    const temporal = await startTestTemporal(folder);
    undo.push(() => temporal.stop());
    const temporalAddress = await reached(temporal.address);
    rehearsal = await startRehearsal({
      script: {
        rehearsal: 'A first session on a cluster',
        pace: { first_token_ms: 0, chunk_ms: 0 },
        turns: [
          {
            when: 'Which kernel',
            steps: [{ tools: [{ bash: 'cat /proc/version; id -u; echo kept > note' }] }, { text: 'Seen.' }],
          },
          { when: 'What was kept', steps: [{ tools: [{ bash: 'cat note' }] }, { text: 'Read.' }] },
        ],
      },
    });
    undo.push(() => rehearsal.close());
    const modelAddress = await reached(new URL(rehearsal.url).host);
    bucket = await startS3Server();
    undo.push(() => bucket.stop());
    const bucketAddress = await reached(new URL(bucket.endpoint).host);

    await cluster.core.createNamespace({ body: { metadata: { name: NAMESPACE } } });
    undo.push(async () => {
      await cluster.core.deleteNamespace({ name: NAMESPACE });
    });
    const secret = (name: string, stringData: Record<string, string>) =>
      cluster.core.createNamespacedSecret({ namespace: NAMESPACE, body: { metadata: { name }, stringData } });
    await Promise.all([
      secret('database', {
        url: `postgres://longhand@${databaseAddress}/${name}`,
      }),
      secret('model', { 'api-key': 'rehearsal' }),
      secret('api', { 'api-key': apiKey }),
      secret('hands', { 'sandbox-key': randomBytes(32).toString('base64url') }),
      secret('bucket', {
        'access-key-id': bucket.env.AWS_ACCESS_KEY_ID ?? '',
        'secret-access-key': bucket.env.AWS_SECRET_ACCESS_KEY ?? '',
      }),
    ]);

    const to = (address: string) => ({
      to: [{ ipBlock: { cidr: `${address.split(':')[0]}/32` } }],
      ports: [Number(address.split(':')[1])],
    });
    const apiServer = new URL(cluster.config.getCurrentCluster()?.server ?? '').host;
    const colon = LONGHAND_IMAGE.lastIndexOf(':');
    const small = (memory: string) => ({ requests: { cpu: '20m', memory: '64Mi' }, limits: { memory } });
    values = join(folder, 'values.yaml');
    await writeFile(
      values,
      JSON.stringify({
        image: { repository: LONGHAND_IMAGE.slice(0, colon), tag: LONGHAND_IMAGE.slice(colon + 1) },
        temporal: { address: temporalAddress, namespace: 'longhand' },
        database: { existingSecret: 'database' },
        blobStore: {
          url: `s3://${bucket.bucket}/chart?endpoint=${encodeURIComponent(`http://${bucketAddress}`)}&region=us-east-1&path_style=true`,
          existingSecret: 'bucket',
        },
        model: { existingSecret: 'model', baseUrl: `http://${modelAddress}` },
        api: { existingSecret: 'api', replicas: 1, resources: small('1Gi') },
        brain: { replicas: 1, resources: small('2Gi') },
        hands: { existingSecret: 'hands', replicas: 1, resources: small('1Gi') },
        setup: { resources: small('512Mi') },
        sandboxes: { namespace: SANDBOXES, image: LONGHAND_SANDBOX_IMAGE, reserve: 5, warmPool: 1 },
        network: {
          api: { from: [{ ipBlock: { cidr: `${LONGHAND_TEST_HOST}/32` } }] },
          database: to(databaseAddress),
          temporal: to(temporalAddress),
          blobStore: to(bucketAddress),
          model: to(modelAddress),
          kubernetesApi: to(apiServer),
        },
      }),
    );
  }, 900_000);
  afterAll(async () => {
    for (const step of undo.reverse()) await step();
  }, 120_000);

  const release = (...args: string[]) => helm(...args, '--namespace', NAMESPACE);
  /** The newest api, at its pod's address. */
  const client = async () => {
    const labelSelector = `app.kubernetes.io/instance=${RELEASE},app.kubernetes.io/component=api`;
    const { items } = await cluster.core.listNamespacedPod({ namespace: NAMESPACE, labelSelector });
    const [pod] = items.filter(({ metadata }) => !metadata?.deletionTimestamp);
    return new Anthropic({ baseURL: `http://${pod?.status?.podIP}:8787`, apiKey, maxRetries: 5 });
  };
  /** Says it, and returns the results of the turn's tools. */
  const turn = async (sessionId: string, text: string) => {
    const { events } = (await client()).beta.sessions;
    const before: string[] = [];
    for await (const event of events.list(sessionId)) before.push(event.id);
    await events.send(sessionId, { events: [{ type: 'user.message', content: [{ type: 'text', text }] }] });
    for (const deadline = Date.now() + 120_000; Date.now() < deadline; await sleep(500)) {
      const news = [];
      for await (const event of events.list(sessionId)) if (!before.includes(event.id)) news.push(event);
      if (!news.some(({ type }) => type === 'session.status_idle')) continue;
      return JSON.stringify(news.filter(({ type }) => type === 'agent.tool_result'));
    }
    throw new Error(`The turn "${text}" did not end.`);
  };

  let sessionId: string;

  test(
    'helm install readies every part, and a session made with the official SDK runs in a pod under gVisor',
    async () => {
      await release('install', RELEASE, CHART, '--values', values, '--wait', '--timeout', '4m');
      const sdk = await client();
      const environment = await sdk.beta.environments.create({ name: 'default' });
      const agent = await sdk.beta.agents.create({
        name: 'helper',
        model: 'claude-opus-5-5',
        tools: [{ type: 'agent_toolset_20260401' }],
      });
      sessionId = (await sdk.beta.sessions.create({ agent: agent.id, environment_id: environment.id })).id;
      const seen = await turn(sessionId, 'Which kernel is this?');
      expect(seen).toContain('gvisor');
      expect(seen).toContain('1000');
    },
    INSTALL_MS + 150_000,
  );

  test(
    'helm upgrade replaces every part, and the session goes on in the same sandbox',
    async () => {
      const sandboxesOf = async () => {
        const labelSelector = 'longhand/state!=ready,longhand/state!=starting';
        const { items } = await cluster.core.listNamespacedPod({ namespace: SANDBOXES, labelSelector });
        return items.filter(({ metadata }) => !metadata?.deletionTimestamp).map(({ metadata }) => metadata?.name);
      };
      const before = await sandboxesOf();
      expect(before).toHaveLength(1);
      const changed = ['api', 'brain', 'hands'].flatMap((part) => ['--set', `${part}.podAnnotations.round=second`]);
      await release('upgrade', RELEASE, CHART, '--values', values, ...changed, '--wait', '--timeout', '4m');
      expect(await turn(sessionId, 'What was kept?')).toContain('kept');
      expect(await sandboxesOf()).toEqual(before);
    },
    INSTALL_MS + 150_000,
  );

  test('an upgrade whose set-up fails changes nothing that runs', async () => {
    const wrong = ['--set', 'temporal.address=127.0.0.1:1', '--set', 'setup.activeDeadlineSeconds=20'];
    await expect(
      release('upgrade', RELEASE, CHART, '--values', values, ...wrong, '--timeout', '90s'),
    ).rejects.toThrow();
    expect(await turn(sessionId, 'What was kept?')).toContain('kept');
  }, 240_000);

  test('helm uninstall ends every part and every sandbox', async () => {
    await release('uninstall', RELEASE, '--wait', '--timeout', '2m');
    // A set-up that failed stays for its log.
    const labelSelector = 'app.kubernetes.io/component!=setup';
    const left = await cluster.core.listNamespacedPod({ namespace: NAMESPACE, labelSelector });
    expect(left.items.filter(({ metadata }) => !metadata?.deletionTimestamp)).toEqual([]);
    for (const deadline = Date.now() + 60_000; Date.now() < deadline; await sleep(500)) {
      if (!(await orMissing(cluster.core.readNamespace({ name: SANDBOXES })))) return;
    }
    throw new Error(`The namespace ${SANDBOXES} is still there.`);
  }, 240_000);
});
