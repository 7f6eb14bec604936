/** Files of a session's sandbox, brought out through its tool server. */
import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import { type Client, WorkflowFailedError } from '@temporalio/client';
import { sessionWorkflowId } from '../events/ids.ts';
import type { Blobs } from '../store/blobs/blobs.ts';
import {
  BRAIN_QUEUE,
  FILES_WORKFLOW,
  type FileStat,
  type FilesInput,
  SANDBOX_QUERY,
  type SandboxPlace,
} from '../workflows/contract.ts';
import type { SessionClient } from './session.ts';

/** Restoring a large checkpoint takes its time. ms. */
const SANDBOX_MS = 120_000;
const LOOK_MS = 100;

export interface SessionFiles {
  /** What is in a folder of the session's sandbox. */
  list(sessionId: string, path: string): Promise<FileStat[]>;
  /** One regular file. */
  get(sessionId: string, path: string): Promise<Readable>;
}

/** A sandbox that was let go is restored first, which may take some seconds. */
export function createSessionFiles(
  temporal: Client,
  sessions: SessionClient,
  blobs: Pick<Blobs, 'getStream'>,
): SessionFiles {
  async function place(sessionId: string): Promise<Required<SandboxPlace>> {
    const handle = temporal.workflow.getHandle(sessionWorkflowId(sessionId));
    const deadline = Date.now() + SANDBOX_MS;
    for (let asked = false; Date.now() < deadline; ) {
      const { ref, handsQueue } = await handle.query<SandboxPlace>(SANDBOX_QUERY);
      if (ref) return { ref, handsQueue };
      if (!asked) await sessions.post(sessionId, `sandbox/${randomUUID()}`, { op: 'sandbox' });
      asked = true;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    throw new Error(`Session ${sessionId} got no sandbox within ${SANDBOX_MS / 1000} s; is a hands worker running?`);
  }

  async function ask<T>(sessionId: string, path: string, want: FilesInput['want']): Promise<T> {
    const input: FilesInput = { ...(await place(sessionId)), path, want };
    try {
      return (await temporal.workflow.execute(FILES_WORKFLOW, {
        workflowId: `files/${sessionId}/${randomUUID()}`,
        taskQueue: BRAIN_QUEUE,
        args: [input],
      })) as T;
    } catch (error) {
      throw error instanceof WorkflowFailedError
        ? new Error(`${path} in the sandbox of ${sessionId}: ${rootMessage(error)}`)
        : error;
    }
  }

  return {
    list: (sessionId, path) => ask<FileStat[]>(sessionId, path, 'list'),
    async get(sessionId, path) {
      const { sha256 } = await ask<{ sha256: string }>(sessionId, path, 'export');
      return blobs.getStream(sessionId, sha256);
    },
  };
}

/** Temporal wraps what went wrong several times; a person wants the innermost words. */
function rootMessage(error: Error): string {
  return error.cause instanceof Error ? rootMessage(error.cause) : error.message;
}
