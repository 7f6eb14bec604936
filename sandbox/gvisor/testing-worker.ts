/** A hands worker to be killed by a test: provisions, says so, runs one call, and waits for ever. */
import { signal, toolCall } from '../contract.ts';
import type { ToolCall } from '../hands.ts';
import { memoryCheckpoints } from '../testing-checkpoints.ts';
import { createGvisorHands, type GvisorOptions } from './hands.ts';

interface Order {
  options: Omit<GvisorOptions, 'checkpoints'>;
  sessionId: string;
  /** Absent: only provision. */
  call?: Partial<ToolCall>;
}

const { options, sessionId, call } = JSON.parse(process.argv[2] ?? '') as Order;
const hands = createGvisorHands({ ...options, checkpoints: memoryCheckpoints() });
process.stdout.write('begun\n');
const ref = await hands.provision({ sessionId, generation: 1 }, signal);
process.stdout.write(`${JSON.stringify(ref)}\n`);
if (call) await hands.execute(ref, toolCall(call), signal);
