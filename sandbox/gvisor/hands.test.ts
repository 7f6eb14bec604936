import { describe } from 'vitest';
import { bashContract } from '../bash-contract.ts';
import { handsContract } from '../contract.ts';
import { filesContract } from '../files-contract.ts';
import { openTestHands } from './testing.ts';

describe('the gvisor hands', () => handsContract(() => openTestHands()));
describe('the gvisor hands, files', () => filesContract(() => openTestHands()));
describe('the gvisor hands, bash', () => bashContract(() => openTestHands()));
