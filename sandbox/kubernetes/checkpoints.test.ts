import { describe } from 'vitest';
import { checkpointContract } from '../checkpoint-contract.ts';
import { clusterMissing, openTestHands } from './testing.ts';

const missing = clusterMissing();

describe.skipIf(missing)(`checkpoints of the kubernetes hands${missing ? ` (skipped: ${missing})` : ''}`, () =>
  checkpointContract(({ checkpoints, limits }) => openTestHands({ checkpoints, ...(limits ? { limits } : {}) }), true),
);
