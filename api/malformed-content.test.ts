/** Content of events that is wrong: blocks, pictures, documents. */
import { beforeAll, test } from 'vitest';
import { useApi } from './testing.ts';
import { type Case, makeOwned, refuse } from './testing-malformed.ts';

const api = useApi();
const ids: Record<string, string> = {};

beforeAll(async () => {
  Object.assign(ids, await makeOwned(api()));
}, 60_000);
const events = (...list: unknown[]) => ({ events: list });
const said = (...content: unknown[]) => events({ type: 'user.message', content });
const text = { type: 'text', text: 'x' };
const image = (more: object) => ({
  type: 'image',
  source: { type: 'base64', media_type: 'image/png', data: 'AAAA', ...more },
});

const cases: Case[] = [
  ['an empty text', '/v1/sessions/SESSION/events', said({ type: 'text', text: '' }), 'events.0.content.0.text: '],
  ['a redacted block', '/v1/sessions/SESSION/events', said({ type: 'redacted' }), 'events.0.content.0.type: '],
  [
    'a picture of an unknown kind',
    '/v1/sessions/SESSION/events',
    said({ type: 'image', source: { type: 'base64', media_type: 'image/tiff', data: 'AAAA' } }),
    'events.0.content.0.source.media_type: ',
  ],
  [
    'a picture that is not base64',
    '/v1/sessions/SESSION/events',
    said({ type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'A*==' } }),
    'events.0.content.0.source.data: ',
  ],
  [
    'a picture from a file',
    '/v1/sessions/SESSION/events',
    said({ type: 'image', source: { type: 'file', file_id: 'file_1' } }),
    'events.0.content.0.source.file_id: File file_1 was not found',
    404,
  ],
  [
    'a document that is no PDF',
    '/v1/sessions/SESSION/events',
    said({ type: 'document', source: { type: 'base64', media_type: 'application/msword', data: 'AAAA' } }),
    'events.0.content.0.source.media_type: ',
  ],
  ['a block that is a string', '/v1/sessions/SESSION/events', said('hi'), 'events.0.content.0: '],
  [
    'a text that is null',
    '/v1/sessions/SESSION/events',
    said({ type: 'text', text: null }),
    'events.0.content.0.text: Expected string',
  ],
  [
    'a block with an unknown field',
    '/v1/sessions/SESSION/events',
    said({ ...text, cache_control: {} }),
    'events.0.content.0.cache_control: Extra inputs',
  ],
  [
    '__proto__ in a block',
    '/v1/sessions/SESSION/events',
    '{"events":[{"type":"user.message","content":[{"type":"text","text":"x","__proto__":{}}]}]}',
    'events.0.content.0.__proto__: ',
  ],
  [
    'thinking of the client’s own',
    '/v1/sessions/SESSION/events',
    said({ type: 'thinking', thinking: 'x', signature: 'y' }),
    'events.0.content.0.type: ',
  ],
  [
    'a search result in a message',
    '/v1/sessions/SESSION/events',
    said({ type: 'search_result', source: 's', title: 't', content: [text], citations: { enabled: true } }),
    'events.0.content.0.type: ',
  ],
  ['a picture without source', '/v1/sessions/SESSION/events', said({ type: 'image' }), 'events.0.content.0.source: '],
  [
    'a picture without its kind',
    '/v1/sessions/SESSION/events',
    said(image({ media_type: undefined })),
    'events.0.content.0.source.media_type: ',
  ],
  [
    'a picture of no bytes',
    '/v1/sessions/SESSION/events',
    said(image({ data: '' })),
    'events.0.content.0.source.data: ',
  ],
  [
    'base64 with a line break',
    '/v1/sessions/SESSION/events',
    said(image({ data: 'AAAA\nAAA' })),
    'events.0.content.0.source.data: ',
  ],
  [
    'base64 of five characters',
    '/v1/sessions/SESSION/events',
    said(image({ data: 'AAAAA' })),
    'events.0.content.0.source.data: ',
  ],
  ['base64 for URLs', '/v1/sessions/SESSION/events', said(image({ data: 'AA-_' })), 'events.0.content.0.source.data: '],
  [
    'a picture of a media type with parameters',
    '/v1/sessions/SESSION/events',
    said(image({ media_type: 'image/png;q=1' })),
    'events.0.content.0.source.media_type: ',
  ],
  [
    'a picture at an FTP address',
    '/v1/sessions/SESSION/events',
    said({ type: 'image', source: { type: 'url', url: 'ftp://a.com/x' } }),
    'events.0.content.0.source.url: ',
  ],
  [
    'a picture at no address',
    '/v1/sessions/SESSION/events',
    said({ type: 'image', source: { type: 'url', url: 'x' } }),
    'events.0.content.0.source.url: ',
  ],
  [
    'an address that is too long',
    '/v1/sessions/SESSION/events',
    said({ type: 'image', source: { type: 'url', url: `https://a.com/${'x'.repeat(4096)}` } }),
    'events.0.content.0.source.url: ',
  ],
  [
    'a text document of another kind',
    '/v1/sessions/SESSION/events',
    said({ type: 'document', source: { type: 'text', media_type: 'text/html', data: 'x' } }),
    'events.0.content.0.source.media_type: ',
  ],
  [
    'an empty text document',
    '/v1/sessions/SESSION/events',
    said({ type: 'document', source: { type: 'text', media_type: 'text/plain', data: '' } }),
    'events.0.content.0.source.data: ',
  ],
  [
    'a document title of 1001 characters',
    '/v1/sessions/SESSION/events',
    said({ type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'x' }, title: 't'.repeat(1001) }),
    'events.0.content.0.title: ',
  ],
  [
    'a document from a file',
    '/v1/sessions/SESSION/events',
    said({ type: 'document', source: { type: 'file', file_id: 'file_1' } }),
    'events.0.content.0.source.file_id: File file_1 was not found',
    404,
  ],
];

test.each(cases)('%s', async (...one) => {
  await refuse(api(), one, ids);
});
