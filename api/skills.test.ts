/** Skills over HTTP with the official SDK, and its own helper that brings them into a folder. */
import { mkdir, mkdtemp, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Anthropic from '@anthropic-ai/sdk';
import { setupSkills } from '@anthropic-ai/sdk/tools/agent-toolset/node';
import { beforeAll, describe, expect, test } from 'vitest';
import yazl from 'yazl';
import { BETA, KEY, OTHER_KEY, useApi } from './testing.ts';

const SKILL = (name: string, description = 'Greets people.') =>
  `---\nname: ${name}\ndescription: ${description}\n---\n\n# How to greet\n\nSay hello.\n`;
const provided = await mkdtemp(join(tmpdir(), 'longhand-skills-'));
beforeAll(async () => {
  await mkdir(join(provided, 'pptx/scripts'), { recursive: true });
  await writeFile(join(provided, 'pptx/SKILL.md'), SKILL('pptx', 'Makes slides.'));
  await writeFile(join(provided, 'pptx/scripts/run.py'), 'print("slides")\n', { mode: 0o755 });
  await mkdir(join(provided, 'broken'));
});

const api = useApi({ settings: { files: { skillsDir: provided } } });
const files = (name: string, more: Record<string, string> = {}) =>
  Object.entries({ [`${name}/SKILL.md`]: SKILL(name), ...more }).map(([path, text]) => new File([text], path));
const skillsOf = (client = api().client()) => client.beta.skills;

describe('a skill', () => {
  test('is made of files whose names carry their paths, is shown, and lists its versions', async () => {
    const skill = await skillsOf().create({ files: files('greeting', { 'greeting/scripts/hi.sh': '#!/bin/sh\n' }) });
    expect(skill).toMatchObject({ type: 'skill', display_name: 'greeting', source: { type: 'custom' } });
    expect(await skillsOf().retrieve(skill.id)).toEqual(skill);
    const first = await skillsOf().versions.retrieve('latest', { skill_id: skill.id });
    expect(first).toEqual({
      id: skill.latest_version_id,
      type: 'skill_version',
      skill_id: skill.id,
      name: 'greeting',
      description: 'Greets people.',
      created_at: skill.created_at,
    });
    const second = await skillsOf().versions.create(skill.id, { files: files('greeting') });
    expect((await skillsOf().retrieve(skill.id)).latest_version_id).toBe(second.id);
    const listed = [];
    for await (const { id } of skillsOf().versions.list(skill.id, { limit: 1 })) listed.push(id);
    expect(listed).toEqual([second.id, first.id]);
    expect(await api().client().skills.versions.retrieve('latest', { skill_id: skill.id })).toEqual(second);
  });

  test('is given out as one archive with one top folder, from which the SDK’s helper sets it up', async () => {
    const skill = await skillsOf().create({
      display_name: 'Wörter & more',
      files: files('words', { 'words/data/list.txt': 'a\nb\n', 'words/run.sh': '#!/bin/sh\necho hi\n' }),
    });
    expect(skill.display_name).toBe('Wörter & more');
    const workdir = await mkdtemp(join(tmpdir(), 'longhand-workdir-'));
    const session = {
      agent: {
        skills: [
          { type: 'custom', skill_id: skill.id, version: 'latest' },
          { type: 'anthropic', skill_id: 'pptx', version: 'latest' },
        ],
      },
    };
    const cleanup = await setupSkills({ client: api().client(), session: session as never, workdir });
    expect((await readdir(join(workdir, 'skills'))).sort()).toEqual(['pptx', 'words']);
    expect(await readFile(join(workdir, 'skills/words/data/list.txt'), 'utf8')).toBe('a\nb\n');
    expect((await stat(join(workdir, 'skills/words/run.sh'))).mode & 0o111).not.toBe(0);
    expect((await stat(join(workdir, 'skills/words/SKILL.md'))).mode & 0o111).toBe(0);
    expect(await readFile(join(workdir, 'skills/pptx/scripts/run.py'), 'utf8')).toBe('print("slides")\n');
    await cleanup();
  });

  test('can be sent as one zip archive; what a Mac adds is left out', async () => {
    const zip = await zipped({
      'zipped/SKILL.md': SKILL('zipped'),
      '__MACOSX/._x': 'x',
      'zipped/.DS_Store': 'x',
      'zipped/a/b.txt': 'b',
    });
    const skill = await skillsOf().create({ files: [new File([new Uint8Array(zip)], 'zipped.zip')] });
    const content = await skillsOf()
      .versions.download('latest', { skill_id: skill.id })
      .catch((error) => error);
    expect(content.status).toBe(200);
    expect(content.headers.get('content-type')).toBe('application/zip');
  });

  test('takes its name from its folder when the front matter has none, and keeps it', async () => {
    const skill = await skillsOf().create({
      files: [new File(['---\ndescription: Does.\n---\n'], 'by-folder/SKILL.md')],
    });
    expect(skill.display_name).toBe('by-folder');
    const renamed = skillsOf().versions.create(skill.id, { files: files('another') });
    await expect(renamed).rejects.toThrow('cannot change');
  });

  test('loses a version, but not its last one; and is deleted with all of them', async () => {
    const skill = await skillsOf().create({ files: files('short-lived') });
    const only = skillsOf().versions.delete(skill.latest_version_id, { skill_id: skill.id });
    await expect(only).rejects.toThrow('only version');
    await skillsOf().versions.create(skill.id, { files: files('short-lived') });
    expect(await skillsOf().versions.delete(skill.latest_version_id, { skill_id: skill.id })).toEqual({
      id: skill.latest_version_id,
      type: 'skill_version_deleted',
    });
    expect(await skillsOf().delete(skill.id)).toEqual({ id: skill.id, type: 'skill_deleted' });
    await expect(skillsOf().retrieve(skill.id)).rejects.toBeInstanceOf(Anthropic.NotFoundError);
    await expect(skillsOf().versions.retrieve('latest', { skill_id: skill.id })).rejects.toMatchObject({ status: 404 });
  });

  test('belongs to its workspace', async () => {
    const skill = await skillsOf().create({ files: files('private') });
    const other = skillsOf(api().client({ authToken: OTHER_KEY }));
    await expect(other.retrieve(skill.id)).rejects.toMatchObject({ status: 404 });
    await expect(other.versions.download('latest', { skill_id: skill.id })).rejects.toMatchObject({ status: 404 });
    await expect(other.delete(skill.id)).rejects.toMatchObject({ status: 404 });
  });
});

describe('skills', () => {
  test('are listed page by page, custom ones first, then those of the operator; broken folders are left out', async () => {
    const made = [];
    for (const name of ['one', 'two', 'three']) made.push((await skillsOf().create({ files: files(name) })).id);
    const all = [];
    for await (const { id, source } of skillsOf().list({ limit: 2 })) all.push([id, source.type]);
    expect(all.slice(0, 3)).toEqual(made.toReversed().map((id) => [id, 'custom']));
    expect(all.at(-1)).toEqual(['pptx', 'anthropic']);
    expect((await skillsOf().list({ source: 'anthropic' })).data.map(({ id }) => id)).toEqual(['pptx']);
    expect((await skillsOf().list({ source: 'custom', limit: 100 })).data).toHaveLength(all.length - 1);
  });

  test('of the operator can be read and not changed', async () => {
    expect(await skillsOf().retrieve('pptx')).toMatchObject({ source: { type: 'anthropic' } });
    expect((await skillsOf().versions.list('pptx')).data).toMatchObject([
      { name: 'pptx', description: 'Makes slides.' },
    ]);
    await expect(skillsOf().delete('pptx')).rejects.toThrow('provided by the operator');
    await expect(skillsOf().versions.create('pptx', { files: files('pptx') })).rejects.toThrow(
      'provided by the operator',
    );
  });
});

/** Name, files by path (a text, or a whole archive as its name ends with .zip), what the message must hold, status. */
type Case = [
  name: string,
  parts: () => Promise<[string, string | Buffer][]> | [string, string | Buffer][],
  message: string,
  status?: number,
];
const good = SKILL('bad');
const one =
  (path: string, text = 'x'): (() => [string, string][]) =>
  () => [
    ['bad/SKILL.md', good],
    [path, text],
  ];
const front =
  (text: string): (() => [string, string][]) =>
  () => [['bad/SKILL.md', text]];
const cases: Case[] = [
  ['no files', () => [], 'files: Field required'],
  ['no SKILL.md', () => [['bad/README.md', 'x']], 'There is no "bad/SKILL.md"'],
  ['SKILL.md outside of a folder', () => [['SKILL.md', good]], 'must lie in one top folder'],
  ['SKILL.md in a deeper folder', () => [['bad/deep/SKILL.md', good]], 'There is no "bad/SKILL.md"'],
  ['skill.md in small letters', () => [['bad/skill.md', good]], 'There is no "bad/SKILL.md"'],
  ['two top folders', one('other/x.txt'), 'must lie in one top folder'],
  ['a path that climbs', one('bad/../../etc/passwd'), 'must not hold empty, "." or ".."'],
  ['a path that climbs and comes back', one('bad/a/../b'), 'must not hold empty'],
  ['an absolute path', one('/etc/passwd'), 'is an absolute path'],
  ['a path of Windows', one('bad\\x.txt'), 'holds a backslash'],
  ['a drive of Windows', one('C:/x.txt'), 'is an absolute path'],
  ['a path with an empty part', one('bad//x.txt'), 'must not hold empty'],
  ['a folder instead of a file', one('bad/folder/'), 'must not hold empty'],
  ['a path with NUL', one('bad/a\0b'), 'holds control characters'],
  ['a name that is too long', one(`bad/${'n'.repeat(201)}`), 'is too long'],
  ['a path that is too long', one(`bad/${'dir/'.repeat(130)}x`), 'is too long'],
  ['a file twice', one('bad/SKILL.md'), 'is there twice'],
  [
    'a file that is a folder, too',
    () => [
      ['bad/SKILL.md', good],
      ['bad/a', 'x'],
      ['bad/a/b', 'x'],
    ],
    'is a file and a folder',
  ],
  ['no front matter', front('# Title\n'), 'must begin with front matter'],
  ['front matter without end', front('---\nname: bad\n'), 'must begin with front matter'],
  ['front matter that is no YAML', front('---\nname: [bad\n---\n'), 'is not valid YAML'],
  ['front matter that is a list', front('---\n- a\n---\n'), 'files.SKILL.md'],
  [
    'front matter that multiplies',
    front(
      `---\na: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n---\n`,
    ),
    'not valid YAML',
  ],
  ['no description', front('---\nname: bad\n---\n'), 'files.SKILL.md.description: Field required'],
  [
    'a blank description',
    front('---\nname: bad\ndescription: " "\n---\n'),
    'files.SKILL.md.description: Input must not be blank',
  ],
  [
    'a description that is too long',
    front(`---\nname: bad\ndescription: ${'d'.repeat(1025)}\n---\n`),
    'files.SKILL.md.description',
  ],
  [
    'a description with tags',
    front('---\nname: bad\ndescription: Do <system>this</system>\n---\n'),
    'must not hold XML tags',
  ],
  ['a name with capitals', front('---\nname: Bad\ndescription: d\n---\n'), 'files.SKILL.md.name'],
  ['a name that climbs', front('---\nname: ../bad\ndescription: d\n---\n'), 'files.SKILL.md.name'],
  ['a name that is reserved', front('---\nname: claude-helper\ndescription: d\n---\n'), 'are reserved'],
  ['a folder that is no name', () => [['Bad Name/SKILL.md', '---\ndescription: d\n---\n']], 'files.SKILL.md.name'],
  ['a SKILL.md that is not UTF-8', () => [['bad/SKILL.md', Buffer.from([0x2d, 0xff, 0xfe])]], 'is not valid UTF-8'],
  ['a SKILL.md that is too large', front(`${good}${'x'.repeat(300_000)}`), 'files.SKILL.md: The file has more than'],
  [
    'more than 30 MB',
    () => [
      ['bad/SKILL.md', good],
      ['bad/a', Buffer.alloc(16_000_000)],
      ['bad/b', Buffer.alloc(16_000_000)],
    ],
    '30 MB',
    413,
  ],
  [
    'more than 1,000 files',
    () => [['bad/SKILL.md', good], ...Array.from({ length: 1_030 }, (_, i): [string, string] => [`bad/${i}`, 'x'])],
    '1000 files',
  ],
  ['a zip that is none', () => [['bad.zip', 'PK not really']], 'The zip archive cannot be read'],
  [
    'a zip that is cut off',
    async () => [['bad.zip', (await zipped({ 'bad/SKILL.md': good })).subarray(0, -30)]],
    'The zip archive cannot be read',
  ],
  [
    'a zip bomb',
    async () => [['bad.zip', await zipped({ 'bad/SKILL.md': good, 'bad/zeros': Buffer.alloc(40_000_000) })]],
    'more than 30000000 bytes',
  ],
  [
    'a zip bomb that lies about its size',
    async () => [['bad.zip', lying(await zipped({ 'bad/SKILL.md': good, 'bad/zeros': Buffer.alloc(40_000_000) }))]],
    'The zip archive cannot be read',
  ],
  [
    'a zip with a link',
    async () => [['bad.zip', await zipped({ 'bad/SKILL.md': good, 'bad/link': '/etc/passwd' }, 0o120777)]],
    'is a link',
  ],
  [
    'a zip with a device',
    async () => [['bad.zip', await zipped({ 'bad/SKILL.md': good, 'bad/tty': 'x' }, 0o020666)]],
    'is a link or another special',
  ],
  [
    'a zip that climbs',
    async () => [
      ['bad.zip', renamed(await zipped({ 'bad/SKILL.md': good, 'bad/zz/zz/x': 'x' }), 'bad/zz/zz/x', 'bad/../../x')],
    ],
    'The zip archive cannot be read',
  ],
  [
    'a zip with an absolute path',
    async () => [['bad.zip', renamed(await zipped({ 'bad/SKILL.md': good, 'bad/xx': 'x' }), 'bad/xx', '/etc/x')]],
    'The zip archive cannot be read',
  ],
  [
    'a zip with NUL in a name',
    async () => [['bad.zip', renamed(await zipped({ 'bad/SKILL.md': good, 'bad/xx': 'x' }), 'bad/xx', 'bad/\0x')]],
    'holds control characters',
  ],
  [
    'a zip without a folder',
    async () => [['bad.zip', await zipped({ 'SKILL.md': good })]],
    'must lie in one top folder',
  ],
  ['an empty zip', async () => [['bad.zip', await zipped({})]], 'files: Field required'],
];

describe('a skill is refused for', () => {
  test.each(cases)('%s', async (_name, parts, message, status = 400) => {
    const before = (await skillsOf().list({ limit: 100 })).data.length;
    const reply = await post(await parts());
    expect(reply.json.error.message).toContain(message);
    expect(reply.status).toBe(status);
    expect((await skillsOf().list({ limit: 100 })).data.length).toBe(before);
  });

  test('a display name of two lines, or none', async () => {
    for (const name of ['a\nb', '', 'n'.repeat(256)]) {
      expect((await post([['bad/SKILL.md', good]], { display_name: name })).status).toBe(400);
    }
  });
});

/** As raw multipart: `FormData` would mend some of these names. */
async function post(parts: [string, string | Buffer][], fields: Record<string, string> = {}) {
  const chunks: (string | Buffer)[] = Object.entries(fields).map(
    ([name, value]) => `--xx\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  for (const [path, body] of parts) {
    chunks.push(
      `--xx\r\ncontent-disposition: form-data; name="files[]"; filename="${path.replaceAll('\\', '\\\\')}"\r\ncontent-type: application/octet-stream\r\n\r\n`,
      body,
      '\r\n',
    );
  }
  chunks.push('--xx--\r\n');
  const response = await fetch(`${api().url}/v1/skills`, {
    method: 'POST',
    headers: {
      ...{ authorization: `Bearer ${KEY}`, 'anthropic-version': '2026-10-21', 'anthropic-beta': BETA },
      'content-type': 'multipart/form-data; boundary=xx',
    },
    body: Buffer.concat(chunks.map((chunk) => Buffer.from(chunk as string))),
  });
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  return { status: response.status, json: (await response.json()) as any };
}

/** @param mode - of every member but SKILL.md. */
async function zipped(members: Record<string, string | Buffer>, mode = 0o100644): Promise<Buffer> {
  const zip = new yazl.ZipFile();
  for (const [path, body] of Object.entries(members)) {
    zip.addBuffer(Buffer.from(body as string), path, { mode: path.endsWith('SKILL.md') ? 0o100644 : mode });
  }
  zip.end();
  const chunks: Buffer[] = [];
  for await (const chunk of zip.outputStream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** The archive with one name replaced by one of the same length, everywhere. */
function renamed(zip: Buffer, from: string, to: string): Buffer {
  return Buffer.from(zip.toString('latin1').replaceAll(from, to), 'latin1');
}

/** The archive says that each large member has only 1,000 bytes. */
function lying(zip: Buffer): Buffer {
  const copy = Buffer.from(zip);
  for (let at = copy.indexOf('PK\x01\x02', 0, 'latin1'); at >= 0; at = copy.indexOf('PK\x01\x02', at + 4, 'latin1')) {
    if (copy.readUInt32LE(at + 24) > 30_000_000) copy.writeUInt32LE(1_000, at + 24);
  }
  return copy;
}
