/**
 * A Temporal workflow of another service, on a task queue of its own: a session is one of its steps. It shares nothing
 * with Longhand but the Temporal namespace, and survives every crash as workflows do, on both sides.
 */
import { executeChild, ParentClosePolicy, proxyActivities } from '@temporalio/workflow';
import { LONGHAND_QUEUE, RUN_SESSION, type RunSession } from '../../client/workflow.ts'; // from 'longhand/client/workflow'

export interface Invoice {
  number: string;
  text: string;
}

/** What this service does itself. */
export interface InvoiceActivities {
  book(invoice: Invoice, verdict: string): Promise<void>;
}

const { book } = proxyActivities<InvoiceActivities>({ startToCloseTimeout: '1m' });

export async function checkInvoice(invoice: Invoice, agent: string, environment: string): Promise<string> {
  const ask = `Check this invoice and answer in one word, "pay" or "refuse":\n\n${invoice.text}`;
  const { text, stop_reason } = await executeChild<RunSession>(RUN_SESSION, {
    workflowId: `invoice/${invoice.number}/check`,
    taskQueue: LONGHAND_QUEUE,
    // When this workflow is cancelled or ends early, the session is interrupted.
    parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
    args: [
      {
        session: {
          agent,
          environment_id: environment,
          metadata: { invoice: invoice.number },
          initial_events: [{ type: 'user.message', content: [{ type: 'text', text: ask }] }],
        },
      },
    ],
  });
  const verdict = stop_reason?.type === 'end_turn' && text ? text : 'a person must look';
  await book(invoice, verdict);
  return verdict;
}
