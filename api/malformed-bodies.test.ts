/** Bodies that are no JSON object, or one that is a trap. */
import { beforeAll, test } from 'vitest';
import { useApi } from './testing.ts';
import { type Case, makeOwned, refuse } from './testing-malformed.ts';

const api = useApi();
const ids: Record<string, string> = {};

beforeAll(async () => {
  Object.assign(ids, await makeOwned(api()));
}, 60_000);

const cases: Case[] = [
  ['no body at all', '/v1/agents', undefined, 'name: Field required'],
  ['not JSON', '/v1/agents', '{"name": ', /not valid JSON/],
  ['a list instead of an object', '/v1/agents', '[]', /must be a JSON object/],
  ['a string instead of an object', '/v1/agents', '"x"', /must be a JSON object/],
  ['nesting without end', '/v1/agents', `{"name":${'['.repeat(5000)}${']'.repeat(5000)}}`, /Nested deeper/],
  [
    'a key that reaches prototypes',
    '/v1/agents',
    '{"name":"a","model":"m","metadata":{"__proto__":"x"}}',
    'metadata.__proto__',
  ],
  [
    'a field called constructor',
    '/v1/agents',
    { name: 'a', model: 'm', constructor: { prototype: {} } },
    'constructor: Extra inputs',
  ],
  ['a field called toString', '/v1/agents', { name: 'a', model: 'm', toString: 'x' }, 'toString: Extra inputs'],
  [
    '__proto__ at the top',
    '/v1/agents',
    '{"name":"a","model":"m","__proto__":{"version":2}}',
    '__proto__: Extra inputs',
  ],
  [
    '__proto__ deep inside',
    '/v1/agents',
    '{"name":"a","model":{"id":"m","effort":{"__proto__":{"type":"high"}}}}',
    'model.effort.__proto__: Extra inputs',
  ],
  [
    'a field name of a megabyte',
    '/v1/agents',
    `{"name":"a","model":"m","${'k'.repeat(1_000_000)}":1}`,
    /^k{300}…: Extra inputs/,
  ],
  [
    'the same key twice, the last one wrong',
    '/v1/agents',
    '{"name":"a","name":7,"model":"m"}',
    'name: Expected string',
  ],
  [
    'arrays nested 10,000 deep',
    '/v1/agents',
    `{"name":${'['.repeat(10_000)}${']'.repeat(10_000)}}`,
    /Nested deeper than 64/,
  ],
  [
    'objects nested 10,000 deep',
    '/v1/agents',
    `{"tools":${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}}`,
    /Nested deeper than 64/,
  ],
  ['null instead of an object', '/v1/agents', 'null', /must be a JSON object/],
  ['a number instead of an object', '/v1/agents', '1e999', /must be a JSON object/],
  ['NaN', '/v1/agents', '{"name":NaN}', /not valid JSON/],
  ['a comma too many', '/v1/agents', '{"name":"a","model":"m",}', /not valid JSON/],
  ['a comment', '/v1/agents', '{"name":"a",/* x */"model":"m"}', /not valid JSON/],
  ['two objects', '/v1/agents', '{"name":"a","model":"m"}{}', /not valid JSON/],
];

test.each(cases)('%s', async (...one) => {
  await refuse(api(), one, ids);
});
