/** Outcomes that are asked for wrongly: refused whole with the field's name; and what of the metadata is understood. */
import { beforeAll, describe, expect, test } from 'vitest';
import { KEY, makeParts, useApi } from './testing.ts';
import { makeStored } from './testing-log.ts';

const api = useApi();
let agent = '';
let environment = '';
let session = '';

beforeAll(async () => {
  ({ agent, environment } = await makeParts(api()));
  session = (await makeStored(api())).id;
});

const define = (more: object = {}) => ({
  type: 'user.define_outcome',
  description: 'A report',
  rubric: { type: 'text', content: '- has a title' },
  ...more,
});
const message = { type: 'user.message', content: [{ type: 'text', text: 'go' }] };
const text = (content: unknown) => define({ rubric: { type: 'text', content } });

const WRONG: [name: string, events: unknown[], field: string][] = [
  ['no description', [define({ description: undefined })], 'events.0.description'],
  ['an empty description', [define({ description: '' })], 'events.0.description'],
  ['a description of white space', [define({ description: ' \n\t' })], 'events.0.description'],
  ['a description that is a list', [define({ description: ['a'] })], 'events.0.description'],
  ['no rubric', [define({ rubric: undefined })], 'events.0.rubric'],
  ['a rubric that is a string', [define({ rubric: '- has a title' })], 'events.0.rubric'],
  ['a rubric of an unknown type', [define({ rubric: { type: 'url', url: 'https://example.com' } })], 'events.0.rubric'],
  ['a rubric without content', [text(undefined)], 'events.0.rubric.content'],
  ['an empty rubric', [text('')], 'events.0.rubric.content'],
  ['a rubric of white space', [text(' \n ')], 'events.0.rubric.content'],
  ['a rubric of 262,145 characters', [text('r'.repeat(262_145))], 'events.0.rubric.content'],
  ['a rubric with more members', [define({ rubric: { type: 'text', content: 'a', file_id: 'f' } })], 'events.0.rubric'],
  ['a file rubric without an id', [define({ rubric: { type: 'file' } })], 'events.0.rubric.file_id'],
  ['a file rubric with an empty id', [define({ rubric: { type: 'file', file_id: '' } })], 'events.0.rubric.file_id'],
  ['no iterations at all', [define({ max_iterations: 0 })], 'events.0.max_iterations'],
  ['fewer iterations than none', [define({ max_iterations: -1 })], 'events.0.max_iterations'],
  ['21 iterations', [define({ max_iterations: 21 })], 'events.0.max_iterations'],
  ['half an iteration', [define({ max_iterations: 1.5 })], 'events.0.max_iterations'],
  ['iterations as a word', [define({ max_iterations: '3' })], 'events.0.max_iterations'],
  ['an outcome_id of the client’s own', [define({ outcome_id: 'outc_mine' })], 'events.0.outcome_id'],
  ['a grader in the event', [define({ grader: { model: 'm' } })], 'events.0.grader'],
  ['two outcomes in one request', [define(), message, define()], 'events.2.type'],
  ['an evaluation sent by a client', [{ type: 'span.outcome_evaluation_end', result: 'satisfied' }], 'events.0'],
];

test.each(WRONG)('%s is refused, and nothing is sent to the session', async (_name, events, field) => {
  const reply = await api().send('POST', `/v1/sessions/${session}/events`, { events });
  expect(reply.status).toBe(400);
  expect(reply.json.error.type).toBe('invalid_request_error');
  expect(reply.json.error.message).toContain(field);
  expect(reply.json.error.message.length).toBeLessThan(2_000);
});

test.each([
  ['two outcomes', [define(), define()], 'initial_events.1.type'],
  ['a rubric that is too long', [text('r'.repeat(262_145))], 'initial_events.0.rubric.content'],
  ['a rubric of white space', [text('  ')], 'initial_events.0.rubric.content'],
])('a session is not born with %s', async (_name, initial_events, field) => {
  const body = { agent, environment_id: environment, initial_events };
  const reply = await api().send('POST', '/v1/sessions', body);
  expect(reply.status).toBe(400);
  expect(reply.json.error.message).toContain(field);
});

describe('the metadata of a session with an outcome', () => {
  const command = { 'longhand.grader_command': 'npm test' };
  test.each<[string, Record<string, string>, string]>([
    ['an unknown key', { 'longhand.grader_modle': 'm' }, 'longhand.grader_modle'],
    ['a blank model', { 'longhand.grader_model': ' ' }, 'longhand.grader_model'],
    ['a blank command', { 'longhand.grader_command': '' }, 'longhand.grader_command'],
    ['an unknown mode', { ...command, 'longhand.grader_mode': 'both' }, 'longhand.grader_mode'],
    ['a mode without a command', { 'longhand.grader_mode': 'command' }, 'longhand.grader_mode'],
    ['a time without a command', { 'longhand.grader_timeout_ms': '5' }, 'longhand.grader_timeout_ms'],
    ['a time of nothing', { ...command, 'longhand.grader_timeout_ms': '0' }, 'longhand.grader_timeout_ms'],
    ['a time in words', { ...command, 'longhand.grader_timeout_ms': '5s' }, 'longhand.grader_timeout_ms'],
    ['a time in hexadecimal', { ...command, 'longhand.grader_timeout_ms': '0x10' }, 'longhand.grader_timeout_ms'],
    ['a time beyond an hour', { ...command, 'longhand.grader_timeout_ms': '3600001' }, 'longhand.grader_timeout_ms'],
  ])('with %s is refused when the outcome is defined', async (_name, metadata, key) => {
    const body = { agent, environment_id: environment, metadata, initial_events: [define()] };
    const reply = await api().send('POST', '/v1/sessions', body);
    expect(reply.status).toBe(400);
    expect(reply.json.error.message).toContain(`metadata.${key}: `);
  });
});

describe('a file rubric', () => {
  async function upload(content: string | Uint8Array<ArrayBuffer>): Promise<string> {
    const form = new FormData();
    form.set('file', new Blob([content], { type: 'text/markdown' }), 'rubric.md');
    const response = await fetch(new URL('/v1/files', api().url), {
      method: 'POST',
      headers: {
        authorization: `Bearer ${KEY}`,
        'anthropic-version': '2026-10-21',
        'anthropic-beta': 'files-api-2025-04-14',
      },
      body: form,
    });
    expect(response.status).toBe(200);
    return ((await response.json()) as { id: string }).id;
  }
  const send = (file_id: string) =>
    api().send('POST', `/v1/sessions/${session}/events`, {
      events: [define({ rubric: { type: 'file', file_id } })],
    });

  test('that does not exist is refused by its id', async () => {
    const reply = await send('file_none');
    expect(reply.status).toBe(404);
    expect(reply.json.error.message).toContain('events.0.rubric.file_id: ');
  });

  test.each([
    ['that says nothing', ' \n', 'must say something'],
    ['of 262,145 characters', 'r'.repeat(262_145), '262144 characters'],
    ['that is no text', new Uint8Array([0xff, 0xfe, 0x00, 0xd8]), 'UTF-8'],
  ])('%s is refused by its id', async (_name, content, words) => {
    const reply = await send(await upload(content));
    expect(reply.status).toBe(400);
    expect(reply.json.error.message).toContain('events.0.rubric.file_id: ');
    expect(reply.json.error.message).toContain(words);
  });
});
