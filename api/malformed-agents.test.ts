/** Agents whose own fields are wrong, and changes of agents that cannot be. */
import { beforeAll, test } from 'vitest';
import { useApi } from './testing.ts';
import { type Case, makeOwned, refuse } from './testing-malformed.ts';

const api = useApi();
const ids: Record<string, string> = {};

beforeAll(async () => {
  Object.assign(ids, await makeOwned(api()));
}, 60_000);
const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 'v']));

const cases: Case[] = [
  ['no name', '/v1/agents', { model: 'm' }, 'name: Field required'],
  ['no model', '/v1/agents', { name: 'a' }, 'model: '],
  ['an empty name', '/v1/agents', { name: '', model: 'm' }, 'name: '],
  ['a name that is too long', '/v1/agents', { name: 'n'.repeat(257), model: 'm' }, 'name: '],
  ['a name that is a number', '/v1/agents', { name: 7, model: 'm' }, 'name: Expected string'],
  [
    'an unknown field',
    '/v1/agents',
    { name: 'a', model: 'm', temperature: 1 },
    'temperature: Extra inputs are not permitted',
  ],
  [
    'an unknown field inside',
    '/v1/agents',
    { name: 'a', model: { id: 'm', top_p: 1 } },
    'model.top_p: Extra inputs are not permitted',
  ],
  [
    'a system prompt that is too long',
    '/v1/agents',
    { name: 'a', model: 'm', system: 's'.repeat(100_001) },
    'system: ',
  ],
  [
    'a description that is too long',
    '/v1/agents',
    { name: 'a', model: 'm', description: 's'.repeat(2049) },
    'description: ',
  ],
  ['too many metadata keys', '/v1/agents', { name: 'a', model: 'm', metadata: many(17) }, 'metadata: '],
  ['a metadata value that is a number', '/v1/agents', { name: 'a', model: 'm', metadata: { k: 1 } }, 'metadata.k: '],
  [
    'a metadata value that is too long',
    '/v1/agents',
    { name: 'a', model: 'm', metadata: { k: 'v'.repeat(513) } },
    'metadata.k: ',
  ],
  [
    'a metadata key that is too long',
    '/v1/agents',
    { name: 'a', model: 'm', metadata: { ['k'.repeat(65)]: 'v' } },
    'metadata.',
  ],
  ['an unknown effort', '/v1/agents', { name: 'a', model: { id: 'm', effort: 'extreme' } }, 'model.effort'],
  [
    'an effort that the model does not take',
    '/v1/agents',
    { name: 'a', model: { id: 'claude-haiku-4-5', effort: 'high' } },
    'model.effort: ',
  ],
  [
    'a speed that the model does not take',
    '/v1/agents',
    { name: 'a', model: { id: 'claude-sonnet-5-5', speed: 'fast' } },
    'model.speed: ',
  ],
  [
    'an unknown region',
    '/v1/agents',
    { name: 'a', model: { id: 'm', inference_geo: 'mars' } },
    'model.inference_geo: ',
  ],
  ['a name that is null', '/v1/agents', { name: null, model: 'm' }, 'name: Expected string'],
  ['a name that is a list', '/v1/agents', { name: ['a'], model: 'm' }, 'name: Expected string'],
  ['a name with U+0000', '/v1/agents', { name: 'a\0b', model: 'm' }, 'name: U+0000'],
  [
    'a name with half a surrogate pair',
    '/v1/agents',
    '{"name":"\\ud800","model":"m"}',
    'name: U+0000 and lone surrogates',
  ],
  ['an empty model', '/v1/agents', { name: 'a', model: '' }, 'model: '],
  ['a model that is null', '/v1/agents', { name: 'a', model: null }, 'model: '],
  ['a model that is a number', '/v1/agents', { name: 'a', model: 5 }, 'model: '],
  ['a model without id', '/v1/agents', { name: 'a', model: { effort: 'high' } }, 'model.id: Field required'],
  ['a model id that is too long', '/v1/agents', { name: 'a', model: 'm'.repeat(257) }, 'model: '],
  ['an unknown speed', '/v1/agents', { name: 'a', model: { id: 'm', speed: 'warp' } }, 'model.speed: '],
  ['an effort that is a number', '/v1/agents', { name: 'a', model: { id: 'm', effort: 3 } }, 'model.effort'],
  [
    'an unknown effort in the long form',
    '/v1/agents',
    { name: 'a', model: { id: 'm', effort: { type: 'x' } } },
    'model.effort.type: ',
  ],
  ['a system prompt that is a list', '/v1/agents', { name: 'a', model: 'm', system: [] }, 'system: Expected string'],
  [
    'a description that is a number',
    '/v1/agents',
    { name: 'a', model: 'm', description: 1 },
    'description: Expected string',
  ],
  ['metadata that is a list', '/v1/agents', { name: 'a', model: 'm', metadata: [] }, 'metadata: Expected record'],
  ['metadata that is null', '/v1/agents', { name: 'a', model: 'm', metadata: null }, 'metadata: Expected record'],
  ['an empty metadata key', '/v1/agents', { name: 'a', model: 'm', metadata: { '': 'v' } }, 'metadata.'],
  [
    'a metadata value that is an object',
    '/v1/agents',
    { name: 'a', model: 'm', metadata: { k: { a: 1 } } },
    'metadata.k: Expected string',
  ],
  [
    'metadata without end',
    '/v1/agents',
    { name: 'a', model: 'm', metadata: many(100_000) },
    'metadata: At most 16 keys',
  ],
  ['an id of the client’s own', '/v1/agents', { name: 'a', model: 'm', id: 'agent_mine' }, 'id: Extra inputs'],
  ['an update of version 0', '/v1/agents/AGENT', { version: 0 }, 'version: '],
  ['an update of version 1.5', '/v1/agents/AGENT', { version: 1.5 }, 'version: '],
  ['an update of version 1e999', '/v1/agents/AGENT', '{"version":1e999}', 'version: '],
  ['an update of a version that no number holds', '/v1/agents/AGENT', '{"version":9007199254740993}', 'version: '],
  ['an update of version "1"', '/v1/agents/AGENT', { version: '1' }, 'version: Expected'],
  ['an update that clears the name', '/v1/agents/AGENT', { name: '' }, 'name: '],
  ['an update that clears the model', '/v1/agents/AGENT', { model: null }, 'model: '],
  ['an update that leads to 17 keys', '/v1/agents/AGENT', { metadata: many(17) }, 'metadata: At most 16 keys'],
  ['a field in an archive', '/v1/agents/AGENT/archive', { reason: 'x' }, 'reason: Extra inputs'],
  ['an update of an archived agent', '/v1/agents/ARCHIVED', { name: 'b' }, /is archived/],
  ['an update of another version', '/v1/agents/AGENT', { version: 7, name: 'b' }, 'version: agent', 409],
];

test.each(cases)('%s', async (...one) => {
  await refuse(api(), one, ids);
});
