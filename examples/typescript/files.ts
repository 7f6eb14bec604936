/**
 * A file goes in, a file comes out: upload, mount, ask, wait, download. Nothing here knows Longhand: the SDK takes
 * ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY from the environment.
 */
import Anthropic, { toFile } from '@anthropic-ai/sdk';

const client = new Anthropic();
const betas: Anthropic.Beta.AnthropicBeta[] = ['managed-agents-2026-04-01'];

const numbers = 'month,sales\nJanuary,120\nFebruary,80\nMarch,200\n';
const file = await client.beta.files.upload({
  file: await toFile(Buffer.from(numbers), 'sales.csv', { type: 'text/csv' }),
});
const agent = await client.beta.agents.create({
  name: 'Analyst',
  model: 'claude-opus-5-5',
  system: 'You analyse data files. Write what you make to /mnt/session/outputs.',
  tools: [{ type: 'agent_toolset_20260401' }],
});
const environment = await client.beta.environments.create({ name: `files ${Date.now()}` });
const session = await client.beta.sessions.create({
  agent: agent.id,
  environment_id: environment.id,
  resources: [{ type: 'file', file_id: file.id, mount_path: 'data/sales.csv' }],
});
for (const resource of session.resources)
  if (resource.type === 'file') console.log(`mounted at ${resource.mount_path}`);

await client.beta.sessions.events.send(session.id, {
  events: [{ type: 'user.message', content: [{ type: 'text', text: 'Add up the sales and write a report.' }] }],
});
const stream = await client.beta.sessions.events.stream(session.id);
for await (const event of stream) {
  if (event.type === 'agent.message')
    for (const block of event.content) if (block.type === 'text') console.log(block.text);
  if (event.type === 'session.error') console.error(event.error.message);
  if (event.type === 'session.status_idle') break;
}

for await (const made of client.beta.files.list({ scope_id: session.id, betas })) {
  if (!made.downloadable) continue;
  const content = await client.beta.files.download(made.id);
  console.log(`${made.filename}: ${(await content.text()).trim()}`);
}
