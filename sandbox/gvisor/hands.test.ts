import { describe } from 'vitest';
import { handsContract } from '../contract.ts';
import { openTestHands } from './testing.ts';

describe('the gvisor hands', () => handsContract(() => openTestHands()));
