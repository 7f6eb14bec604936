import { describe } from 'vitest';
import { handsContract } from '../contract.ts';
import { filesContract } from '../files-contract.ts';
import { openTestHands } from './testing.ts';

describe('the gvisor hands', () => handsContract(() => openTestHands()));
describe('the gvisor hands, files', () => filesContract(() => openTestHands()));
