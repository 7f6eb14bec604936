/**
 * One agent, one session, one answer, with the official SDK. Nothing here knows Longhand: the SDK takes ANTHROPIC_BASE_URL
 * and ANTHROPIC_API_KEY from the environment, and without the first of them this program talks to the hosted API.
 */
import Anthropic from '@anthropic-ai/sdk';

const client = new Anthropic();

const agent = await client.beta.agents.create({
  name: 'Assistant',
  model: 'claude-opus-5-5',
  system: 'You are a careful assistant with a Linux sandbox.',
  tools: [{ type: 'agent_toolset_20260401' }],
});
const environment = await client.beta.environments.create({ name: `quickstart ${Date.now()}` });
const session = await client.beta.sessions.create({ agent: agent.id, environment_id: environment.id });

// The stream is live only, so it is opened before anything is said.
const stream = await client.beta.sessions.events.stream(session.id);
const task = process.argv[2] ?? 'Which files are in /etc, and how many?';
await client.beta.sessions.events.send(session.id, {
  events: [{ type: 'user.message', content: [{ type: 'text', text: task }] }],
});

for await (const event of stream) {
  if (event.type === 'agent.message')
    for (const block of event.content) if (block.type === 'text') console.log(block.text);
  if (event.type === 'agent.tool_use') console.log(`[${event.name}] ${JSON.stringify(event.input)}`);
  if (event.type === 'session.error') console.error(event.error.message);
  // Idle is not always the end: a session also waits for answers to calls that ask.
  if (event.type === 'session.status_idle' && event.stop_reason.type !== 'requires_action') break;
  if (event.type === 'session.status_terminated') break;
}
