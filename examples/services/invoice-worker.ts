/** The worker of that service: its own process, its own queue, its own code. */
import { fileURLToPath } from 'node:url';
import { type NativeConnection, Worker } from '@temporalio/worker';
import type { InvoiceActivities } from './invoice-workflow.ts';

export const INVOICE_QUEUE = 'invoices';

export async function createInvoiceWorker(
  connection: NativeConnection,
  namespace: string,
  activities: InvoiceActivities,
): Promise<Worker> {
  return await Worker.create({
    connection,
    namespace,
    taskQueue: INVOICE_QUEUE,
    workflowsPath: fileURLToPath(new URL('./invoice-workflow.ts', import.meta.url)),
    activities: { ...activities },
  });
}
