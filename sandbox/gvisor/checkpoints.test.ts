import { describe } from 'vitest';
import { checkpointContract } from '../checkpoint-contract.ts';
import { openTestHands } from './testing.ts';

describe('checkpoints of the gvisor hands', () =>
  checkpointContract(
    ({ checkpoints, limits }) => openTestHands({ checkpoints, ...(limits ? { limits } : {}) }),
    false,
  ));
