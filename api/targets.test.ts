import { afterEach, describe, expect, test, vi } from 'vitest';
import { makeSession, useApi } from './testing.ts';

const TARGETS = new Map([
  ['gpu', { handsQueue: 'hands.gpu', images: ['registry.example/cuda:1', 'registry.example/cuda:2'] }],
  ['big', { handsQueue: 'hands', images: [] }],
]);

describe('where the operator offers targets', () => {
  const api = useApi({ temporal: true, settings: { targets: TARGETS } });
  afterEach(() => vi.restoreAllMocks());

  async function environment(metadata: Record<string, string>): Promise<string> {
    return (await api().client().beta.environments.create({ name: 'e', metadata })).id;
  }

  test.each([
    ['no target', {}, { handsQueue: 'hands' }],
    ['the ordinary one', { 'longhand.target': 'default' }, { handsQueue: 'hands' }],
    ['another one', { 'longhand.target': 'big', team: 'blue' }, { handsQueue: 'hands', target: 'big' }],
    ['one with a queue of its own', { 'longhand.target': 'gpu' }, { handsQueue: 'hands.gpu', target: 'gpu' }],
    [
      'an image of its list',
      { 'longhand.target': 'gpu', 'longhand.image': 'registry.example/cuda:2' },
      { handsQueue: 'hands.gpu', target: 'gpu', image: 'registry.example/cuda:2' },
    ],
  ])('a session gets what its environment asks for: %s', async (_name, asked, expected) => {
    const start = vi.spyOn(api().deps.sessionClient, 'start');
    await makeSession(api(), { environment_id: await environment(asked) });
    expect(start).toHaveBeenCalledTimes(1);
    const { handsQueue, target, image } = start.mock.calls[0]?.[0] ?? {};
    expect({ handsQueue, target, image }).toEqual({ target: undefined, image: undefined, ...expected });
  });

  test.each([
    [
      'a target that is not there',
      { 'longhand.target': 'huge' },
      /"longhand.target": "huge", .*none of: default, gpu, big/,
    ],
    ['the empty name', { 'longhand.target': '' }, /"longhand.target": "", which is none of/],
    ['what every object has', { 'longhand.target': 'constructor' }, /"constructor", which is none of/],
    ['a file', { 'longhand.target': '../../etc/passwd' }, /none of/],
    ['an image for a target without', { 'longhand.target': 'big', 'longhand.image': 'x:1' }, /"big" allows: none/],
    [
      'an image of another target',
      { 'longhand.image': 'registry.example/cuda:1' },
      /"longhand.image".*"default" allows: none/,
    ],
    [
      'an image that is not listed',
      { 'longhand.target': 'gpu', 'longhand.image': 'registry.example/cuda:11' },
      /"registry.example\/cuda:11", .*"gpu" allows: registry.example\/cuda:1, registry.example\/cuda:2/,
    ],
  ])('the environment is kept as it is, and no session is made with it: %s', async (_name, asked, message) => {
    const id = await environment(asked);
    expect((await api().client().beta.environments.retrieve(id)).metadata).toEqual(asked);
    const start = vi.spyOn(api().deps.sessionClient, 'start');
    const refused: Error = await makeSession(api(), { environment_id: id }).then(
      () => new Error('No session: {}'),
      (error: Error) => error,
    );
    const { type, message: words } = JSON.parse(refused.message.replace('No session: ', '')).error;
    expect(type).toBe('invalid_request_error');
    expect(words).toMatch(new RegExp(`^environment_id: ${id} has metadata`));
    expect(words).toMatch(message);
    expect(start).not.toHaveBeenCalled();
  });
});

describe('where there are none', () => {
  const api = useApi();

  test.each(['longhand.target', 'longhand.image'])(
    'an environment that asks for one gets no session: %s',
    async (key) => {
      const { id } = await api()
        .client()
        .beta.environments.create({ name: 'e', metadata: { [key]: 'default' } });
      await expect(makeSession(api(), { environment_id: id })).rejects.toThrow(
        /environment_id: .*no targets are set up: they need LONGHAND_TARGETS, and LONGHAND_SANDBOX=kubernetes/,
      );
    },
  );
});
