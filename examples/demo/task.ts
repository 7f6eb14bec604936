/** What the demo asks for: the same words for the rehearsal and for a real model. */
import type { AgentCreateParams } from '@anthropic-ai/sdk/resources/beta/agents';
import type { EventSendParams } from '@anthropic-ai/sdk/resources/beta/sessions';

export const OUTPUTS = '/mnt/session/outputs';
/** Files that the task asks for, by name in {@link OUTPUTS}. */
export const REPORT = 'report.md';
export const CHART = 'chart.svg';
export const JOURNAL = 'journal.log';
/** Parts of the long command; each leaves one line in the journal. */
export const BATCHES = 12;

const PROMPT = `The attached file orders.csv holds orders of a small shop over one year. It is dirty. Please:

1. Save it as /workspace/orders.csv and look at it before you do anything else with it.
2. Clean it with a Node script (there is no Python): drop orders that come twice, repair dates, numbers and names that have one clear meaning, set the rest aside. The script works in ${BATCHES} batches and pauses for one second after each. After each batch it appends one line to ${OUTPUTS}/${JOURNAL}: an ISO timestamp, a space, and "batch <number>/${BATCHES}". Run it once, as one command in the foreground, and do not touch the journal otherwise.
3. Compute the revenue of paid orders: in all, by month, by country, by category, and the five best products.
4. Write ${OUTPUTS}/${REPORT}, whose first line is "Status: draft", and ${OUTPUTS}/${CHART}, the revenue by month.
5. Then change "Status: draft" to "Status: final" with the edit tool. I will be asked to confirm that.
6. End with two sentences on what you found.`;

/** `edit` asks; everything else runs by itself. */
export function agentParams(model: string): AgentCreateParams {
  return {
    name: 'Analyst',
    model,
    system: 'You are a careful data analyst. You look before you change anything, and you say what you set aside.',
    tools: [
      {
        type: 'agent_toolset_20260401',
        configs: [
          { name: 'edit', permission_policy: { type: 'always_ask' } },
          { name: 'web_fetch', enabled: false },
          { name: 'web_search', enabled: false },
        ],
      },
    ],
  };
}

/** The task with the file in it. `rows`: only so many of its rows, for a model that has to type them out again. */
export function taskMessage(csv: string, rows?: number): EventSendParams['events'][number] {
  const lines = csv.trimEnd().split('\n');
  const data = rows === undefined ? csv : `${lines.slice(0, rows + 1).join('\n')}\n`;
  return {
    type: 'user.message',
    content: [
      { type: 'text', text: PROMPT },
      { type: 'document', title: 'orders.csv', source: { type: 'text', media_type: 'text/plain', data } },
    ],
  };
}
