/** A session whose blobs are in a bucket: what goes in, what is saved between its sandboxes, and what comes out. */
import { createHash, randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sessionWorkflowId } from '../../events/ids.ts';
import { SANDBOX_QUERY, type SandboxPlace } from '../../workflows/contract.ts';
import { startTestApi, type TestApi } from '../support/api.ts';
import { type S3Server, startS3Server } from '../support/s3-server.ts';
import { type Stack, startStack } from '../support/stack.ts';

const UPLOAD = '/mnt/session/uploads/big.bin';
let server: S3Server;
let stack: Stack;
let api: TestApi;
beforeAll(async () => {
  server = await startS3Server();
  Object.assign(process.env, server.env);
  const tell = '{{result.text | trim}}';
  stack = await startStack({
    hands: true,
    env: { BLOB_URL: server.blobUrl('installation-1'), ...server.env },
    script: {
      rehearsal: 'A bucket',
      turns: [
        {
          when: 'make',
          steps: [
            {
              tools: [
                {
                  bash: `cp ${UPLOAD} /workspace/kept && cp ${UPLOAD} /mnt/session/outputs/out.bin && sha256sum ${UPLOAD}`,
                },
              ],
            },
            { text: tell },
          ],
        },
        { when: 'again', steps: [{ tools: [{ bash: 'sha256sum /workspace/kept' }] }, { text: tell }] },
      ],
    },
  });
  api = await startTestApi(stack, { session: { sandboxIdleMs: 1_000 } });
}, 900_000);
afterAll(async () => {
  await api?.stop();
  await stack?.stop();
  await server?.stop();
}, 60_000);

async function turn(session: string, text: string): Promise<string> {
  const stream = await api.client.beta.sessions.events.stream(session);
  await api.client.beta.sessions.events.send(session, {
    events: [{ type: 'user.message', content: [{ type: 'text', text }] }],
  });
  let said = '';
  for await (const event of stream) {
    if (event.type === 'agent.message')
      said = event.content.map((block) => ('text' in block ? block.text : '')).join('');
    if (event.type === 'session.error') said = event.error.message;
    if (event.type === 'session.status_idle') break;
  }
  return said;
}

test('files, checkpoints and outputs go through the bucket, and go with the session', async () => {
  const { beta } = api.client;
  const body = randomBytes(20_000_000);
  const sha256 = createHash('sha256').update(body).digest('hex');
  const file = await beta.files.upload({ file: new File([body], 'big.bin') });
  const tools = [{ type: 'agent_toolset_20260401' as const }];
  const agent = await beta.agents.create({ name: 'worker', model: 'claude-opus-4-8', tools });
  const environment = await beta.environments.create({ name: 'default' });
  const { id } = await beta.sessions.create({
    agent: agent.id,
    environment_id: environment.id,
    resources: [{ type: 'file', file_id: file.id, mount_path: 'big.bin' }],
  });
  expect(await turn(id, 'make')).toContain(sha256);

  const [output] = (await beta.files.list({ scope_id: id, betas: ['managed-agents-2026-04-01'] })).data;
  const whole = Buffer.from(await (await beta.files.download(output?.id ?? '')).arrayBuffer());
  expect(whole.equals(body)).toBe(true);

  // Its sandbox idles and is let go: the next call finds the files in another one, from the bucket.
  const workflow = stack.temporalClient.workflow.getHandle(sessionWorkflowId(id));
  const sandbox = async () => (await workflow.query<SandboxPlace>(SANDBOX_QUERY)).ref?.generation;
  await expect.poll(sandbox, { timeout: 30_000 }).toBeUndefined();
  expect(await turn(id, 'again')).toContain(sha256);
  expect(await sandbox()).toBe(2);

  const objects = async () =>
    (await readdir(server.folder, { recursive: true })).filter((name) => name.includes(`installation-1/${id}/`));
  expect((await objects()).length).toBeGreaterThan(1);
  await beta.sessions.delete(id);
  await expect
    .poll(async () => (await objects()).filter((name) => /[0-9a-f]{64}$/.test(name)), { timeout: 20_000 })
    .toEqual([]);
}, 120_000);
