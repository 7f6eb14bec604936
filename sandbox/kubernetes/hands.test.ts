import { describe } from 'vitest';
import { bashContract } from '../bash-contract.ts';
import { handsContract } from '../contract.ts';
import { filesContract } from '../files-contract.ts';
import { clusterMissing, openTestHands } from './testing.ts';

const missing = clusterMissing();
const note = missing ? ` (skipped: ${missing})` : '';

describe.skipIf(missing)(`the kubernetes hands${note}`, () => handsContract(() => openTestHands()));
describe.skipIf(missing)(`the kubernetes hands, files${note}`, () => filesContract(() => openTestHands()));
describe.skipIf(missing)(`the kubernetes hands, bash${note}`, () => bashContract(() => openTestHands()));
