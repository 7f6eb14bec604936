/** Skills: offered to the model by name and description, read in the sandbox, and not the agent's to change. */
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toFile } from '@anthropic-ai/sdk';
import type { MessageCreateParams } from '@anthropic-ai/sdk/resources/messages';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApi, type TestApi } from '../support/api.ts';
import { type Stack, startStack } from '../support/stack.ts';

const SKILL = (name: string, description: string) =>
  `---\nname: ${name}\ndescription: ${description}\n---\nSay hello to everyone.\n`;
const LOOK = `cd /workspace/skills && head -v -n 4 */SKILL.md; greeting/scripts/hi.sh; (echo x >> greeting/SKILL.md) 2>/dev/null || echo unchanged; ls /mnt/session/uploads`;

let stack: Stack;
let api: TestApi;
beforeAll(async () => {
  const provided = await mkdtemp(join(tmpdir(), 'longhand-skills-'));
  await mkdir(join(provided, 'xlsx'));
  await writeFile(join(provided, 'xlsx/SKILL.md'), SKILL('xlsx', 'Spreadsheets.'));
  stack = await startStack({
    hands: true,
    script: {
      rehearsal: 'Skills',
      turns: [
        {
          when: 'greet',
          steps: [
            { tools: [{ name: 'read', input: { file_path: '/workspace/skills/greeting/SKILL.md' } }] },
            { tools: [{ bash: { command: LOOK } }] },
            { text: 'Hello.' },
          ],
        },
      ],
      fallback: { text: 'Yes.' },
    },
  });
  api = await startTestApi(stack, { settings: { files: { skillsDir: provided } } });
}, 900_000);
afterAll(async () => {
  await api?.stop();
  await stack?.stop();
}, 60_000);

test('a session’s skills are pinned, offered, read on demand, read-only, and outlive their deletion', async () => {
  const { client } = api;
  const { agents, environments, sessions, skills } = client.beta;
  const skill = await skills.create({
    files: [
      new File([SKILL('greeting', 'Use when someone\n  is to be greeted.')], 'greeting/SKILL.md'),
      new File(['#!/bin/sh\necho hi from the skill\n'], 'greeting/scripts/hi.sh'),
    ],
  });
  const agent = await agents.create({
    name: 'greeter',
    model: 'claude-opus-4-8',
    tools: [{ type: 'agent_toolset_20260401' }],
    skills: [
      { type: 'custom', skill_id: skill.id },
      { type: 'anthropic', skill_id: 'xlsx' },
    ],
  });
  const environment = await environments.create({ name: 'default' });
  const session = await sessions.create({ agent: agent.id, environment_id: environment.id });
  expect(session.agent.skills[0]).toEqual({ type: 'custom', skill_id: skill.id, version: skill.latest_version_id });
  expect(session.agent.skills[1]?.version).toMatch(/^xlsx-[0-9a-f]{12}$/);
  await skills.delete(skill.id);

  const turn = async (text: string) => {
    const stream = await sessions.events.stream(session.id);
    await sessions.events.send(session.id, { events: [{ type: 'user.message', content: [{ type: 'text', text }] }] });
    const results: string[] = [];
    for await (const event of stream) {
      if (event.type === 'agent.tool_result')
        for (const block of event.content ?? []) if (block.type === 'text') results.push(block.text);
      if (event.type === 'session.error') results.push(event.error.message);
      if (event.type === 'session.status_idle') break;
    }
    return results;
  };
  const [read, looked] = await turn('greet');
  expect(read).toContain('Say hello to everyone.');
  expect(looked).toContain('==> greeting/SKILL.md <==');
  expect(looked).toContain('==> xlsx/SKILL.md <==');
  expect(looked).toContain('hi from the skill\nunchanged');

  const asked = stack.rehearsal.requests.at(-1)?.body as MessageCreateParams | undefined;
  const prompt = JSON.stringify(asked?.system);
  expect(prompt).toContain('- greeting (/workspace/skills/greeting/SKILL.md): Use when someone is to be greeted.');
  expect(prompt).toContain('- xlsx (/workspace/skills/xlsx/SKILL.md): Spreadsheets.');
  expect(prompt).not.toContain('Say hello to everyone');

  const file = await client.files.upload({ file: await toFile(Buffer.from('x'), 'late.txt') });
  await sessions.resources.add(session.id, { type: 'file', file_id: file.id, mount_path: 'late.txt' });
  const again = await turn('greet once more');
  expect(again[1]).toContain('==> greeting/SKILL.md <==');
  expect(again[1]).toContain('late.txt');
}, 120_000);
