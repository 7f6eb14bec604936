/**
 * Work that is graded: the agent writes a document, an independent grader holds it to a rubric, and the agent revises it
 * until every criterion is met. With the official SDK; nothing here knows Longhand. Ends with code 0 when the rubric is
 * met.
 */
import Anthropic from '@anthropic-ai/sdk';

const client = new Anthropic();

const agent = await client.beta.agents.create({
  name: 'Writer',
  model: 'claude-opus-5-5',
  system: 'You write short, exact documents.',
  tools: [{ type: 'agent_toolset_20260401' }],
});
const environment = await client.beta.environments.create({ name: `outcome ${Date.now()}` });
const session = await client.beta.sessions.create({ agent: agent.id, environment_id: environment.id });

// The stream is live only, so it is opened before the work begins.
const stream = await client.beta.sessions.events.stream(session.id);
await client.beta.sessions.events.send(session.id, {
  events: [
    {
      type: 'user.define_outcome',
      description: 'A release plan for version 2.0 in /mnt/session/outputs/plan.md.',
      rubric: {
        type: 'text',
        content: `- It has a title.
- It names a date for the release.
- It says who decides that the release is undone if it fails.`,
      },
      max_iterations: 5,
    },
  ],
});

for await (const event of stream) {
  if (event.type === 'agent.tool_use') console.log(`[${event.name}]`);
  if (event.type === 'span.outcome_evaluation_end') {
    console.log(`evaluation ${event.iteration}: ${event.result}\n${event.explanation}`);
  }
  if (event.type === 'session.error') console.error(event.error.message);
  if (event.type === 'session.status_terminated') break;
  if (event.type === 'session.status_idle' && event.stop_reason.type !== 'requires_action') break;
}

const { outcome_evaluations: evaluations, usage } = await client.beta.sessions.retrieve(session.id);
const result = evaluations.at(-1)?.result;
console.log(`outcome: ${result}, ${usage.output_tokens} tokens written, the grader's among them`);
process.exitCode = result === 'satisfied' ? 0 : 1;
