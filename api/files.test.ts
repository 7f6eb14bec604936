/** Files over HTTP with the official SDK: what goes in comes out, and what must not be there is not. */
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Anthropic, { toFile } from '@anthropic-ai/sdk';
import { describe, expect, test } from 'vitest';
import { referredBlobs } from '../store/files.ts';
import { BETA, KEY, OTHER_KEY, useApi } from './testing.ts';

const api = useApi({ settings: { files: { downloadUploads: true, quotaBytes: 10_000_000 } } });
const betas: 'managed-agents-2026-04-01'[] = ['managed-agents-2026-04-01'];

const upload = async (bytes: Buffer | string, name = 'notes.txt', type = 'text/plain') =>
  await api()
    .client()
    .files.upload({ file: await toFile(Buffer.from(bytes), name, { type }) });

describe('a file', () => {
  test('goes up as a stream and comes down as the same bytes', async () => {
    const path = join(tmpdir(), `longhand-upload-${randomBytes(4).toString('hex')}.pdf`);
    const bytes = randomBytes(3_000_000);
    await writeFile(path, bytes);
    const file = await api()
      .client()
      .files.upload({ file: createReadStream(path) });
    expect(file).toMatchObject({
      type: 'file',
      mime_type: 'application/pdf',
      size_bytes: 3_000_000,
      downloadable: true,
      expires_at: null,
    });
    expect(file.filename).toMatch(/^longhand-upload-.*\.pdf$/);
    const down = await api().client().files.download(file.id);
    expect(Buffer.from(await down.arrayBuffer()).equals(bytes)).toBe(true);
    expect(down.headers.get('content-type')).toBe('application/pdf');
    expect(await api().client().files.retrieveMetadata(file.id)).toEqual(file);
  });

  test('keeps a name in any script, without the folders that it was in', async () => {
    const named = async (name: string) => (await upload('x', name)).filename;
    expect(await named('../../etc/Grüße 漢字.txt')).toBe('Grüße 漢字.txt');
    expect(await named('C:\\temp\\a.txt')).toBe('a.txt');
    const blob = new Blob(['x'], { type: 'application/json' });
    const form = new FormData();
    form.append('file', blob, '');
    expect((await raw(form)).json.filename).toBe('unnamed.json');
  });

  test('is listed newest first, page by page, and by ids in the order asked', async () => {
    const made = [];
    for (let i = 0; i < 5; i++) made.push((await upload(`${i}`)).id);
    const listed = [];
    for await (const file of api().client().files.list({ limit: 2 })) listed.push(file.id);
    expect(listed.slice(0, 5)).toEqual(made.toReversed());
    expect(new Set(listed).size).toBe(listed.length);
    const ids = [made[3] ?? '', 'file_unknown', made[1] ?? '', made[3] ?? ''];
    const page = await api().client().files.list({ ids });
    expect(page.data.map(({ id }) => id)).toEqual([made[3], made[1]]);
    expect(page.next_page).toBeNull();
  });

  test('is gone once it is deleted, while the same bytes of another file stay', async () => {
    const [one, two] = [await upload('same bytes'), await upload('same bytes')];
    expect(one.id).not.toBe(two.id);
    expect(await api().client().files.delete(one.id)).toEqual({ id: one.id, type: 'file_deleted' });
    await expect(api().client().files.retrieveMetadata(one.id)).rejects.toBeInstanceOf(Anthropic.NotFoundError);
    expect(await (await api().client().files.download(two.id)).text()).toBe('same bytes');
  });

  test('belongs to its workspace: another one’s key does not see it', async () => {
    const { id } = await upload('mine');
    const other = api().client({ authToken: OTHER_KEY });
    await expect(other.files.retrieveMetadata(id)).rejects.toBeInstanceOf(Anthropic.NotFoundError);
    await expect(other.files.delete(id)).rejects.toBeInstanceOf(Anthropic.NotFoundError);
    expect((await other.files.list({ ids: [id] })).data).toEqual([]);
  });

  test('shows its scope only to who asks for the beta', async () => {
    const { id } = await upload('scoped');
    expect(await api().client().beta.files.retrieveMetadata(id, { betas })).toMatchObject({ scope: null });
    expect(await api().client().files.retrieveMetadata(id)).not.toHaveProperty('scope');
  });

  test('that expires has an end date; its bytes are refused afterwards, with the SDK’s own error', async () => {
    const file = await api()
      .client()
      .files.upload({ file: await toFile(Buffer.from('brief'), 'a.txt'), expires_in_seconds: 3600 });
    expect(Date.parse(file.expires_at ?? '') - Date.parse(file.created_at)).toBe(3_600_000);
    await api().database.pool.query(`update files set expires_at = now() - interval '1 s' where id = $1`, [file.id]);
    const download = api().client().files.download(file.id);
    await expect(download).rejects.toBeInstanceOf(Anthropic.Files.FileExpiredError);
    await expect(download).rejects.toMatchObject({ status: 404 });
  });

  test('is made once however often it is sent under one Idempotency-Key, and another one is refused', async () => {
    const send = async (text: string) => {
      const form = new FormData();
      form.append('file', new File([text], 'once.txt'));
      return await raw(form, { 'idempotency-key': 'upload-1' });
    };
    const [first, second] = [await send('once'), await send('once')];
    expect(second.json).toEqual(first.json);
    expect((await send('twice')).status).toBe(400);
  });
});

describe('a part of a file', () => {
  test('is given out for every form of range, and the whole for what is none', async () => {
    const { id } = await upload('0123456789');
    const get = async (range: string, more: Record<string, string> = {}) => {
      const response = await fetch(`${api().url}/v1/files/${id}/content`, { headers: { ...headers, range, ...more } });
      return [response.status, await response.text(), response.headers.get('content-range')];
    };
    expect(await get('bytes=2-4')).toEqual([206, '234', 'bytes 2-4/10']);
    expect(await get('bytes=7-')).toEqual([206, '789', 'bytes 7-9/10']);
    expect(await get('bytes=-3')).toEqual([206, '789', 'bytes 7-9/10']);
    expect(await get('bytes=5-99')).toEqual([206, '56789', 'bytes 5-9/10']);
    expect(await get('bytes=0-')).toEqual([206, '0123456789', 'bytes 0-9/10']);
    expect((await get('bytes=10-'))[0]).toBe(416);
    expect((await get('bytes=-0'))[0]).toBe(416);
    for (const none of ['bytes=1-2,4-5', 'bytes=4-2', 'lines=1-2', 'bytes=-', 'bytes=x-3']) {
      expect((await get(none)).slice(0, 2)).toEqual([200, '0123456789']);
    }
    const etag = `"${createHash('sha256').update('0123456789').digest('hex')}"`;
    expect((await get('bytes=1-2', { 'if-range': etag }))[0]).toBe(206);
    expect((await get('bytes=1-2', { 'if-range': '"other"' }))[0]).toBe(200);
  });

  test('a HEAD says how long it is, and holds nothing open', async () => {
    const { id } = await upload('0123456789');
    const response = await fetch(`${api().url}/v1/files/${id}/content`, { method: 'HEAD', headers });
    expect([response.status, response.headers.get('content-length')]).toEqual([200, '10']);
  });
});

describe('storage', () => {
  test('past its quota takes nothing more, with the SDK’s own error, and takes it again once there is room', async () => {
    const big = await upload(randomBytes(6_000_000), 'big.bin', 'application/octet-stream');
    const more = upload(randomBytes(6_000_000), 'more.bin', 'application/octet-stream');
    await expect(more).rejects.toBeInstanceOf(Anthropic.Files.StorageQuotaExceededError);
    await api().client().files.delete(big.id);
    const again = await upload(randomBytes(6_000_000), 'more.bin', 'application/octet-stream');
    await api().client().files.delete(again.id);
  });

  test('gives back what nobody refers to: bytes of deleted and of expired files, not those that another file shares', async () => {
    const [gone, shared, sharing, expired] = [
      await upload('a1'),
      await upload('b2'),
      await upload('b2'),
      await upload('c3'),
    ];
    await api().client().files.delete(gone.id);
    await api().client().files.delete(shared.id);
    await api().database.pool.query(`update files set expires_at = now() where id = $1`, [expired.id]);
    const { blobs } = api().deps;
    await blobs.removeUnreferred('wrkspc_1', -60_000, (names) =>
      referredBlobs(api().database.orm, 'wrkspc_1', names, new Date()),
    );
    const has = async (text: string) =>
      (await blobs.size('wrkspc_1', createHash('sha256').update(text).digest('hex'))) !== undefined;
    expect([await has('a1'), await has('b2'), await has('c3')]).toEqual([false, true, false]);
    expect(await (await api().client().files.download(sharing.id)).text()).toBe('b2');
  });

  test('takes an upload that is slower than any other request may be', async () => {
    api().deps.settings.handlerMs = 1_500;
    const parts = [
      '--x\r\ncontent-disposition: form-data; name="file"; filename="slow"\r\n\r\n',
      'a',
      'b',
      'c',
      '\r\n--x--\r\n',
    ];
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        const part = parts.shift();
        if (part === undefined) return controller.close();
        await new Promise((resolve) => setTimeout(resolve, 400));
        controller.enqueue(new TextEncoder().encode(part));
      },
    });
    const type = { 'content-type': 'multipart/form-data; boundary=x' };
    const init = { method: 'POST', headers: { ...headers, ...type }, body, duplex: 'half' };
    const response = await fetch(`${api().url}/v1/files`, init as RequestInit);
    api().deps.settings.handlerMs = undefined;
    expect([response.status, ((await response.json()) as { size_bytes: number }).size_bytes]).toEqual([200, 3]);
  });

  test('of an upload that breaks off shows no file, and the server goes on', async () => {
    const before = (await api().client().files.list({ limit: 1000 })).data.length;
    const { hostname, port } = new URL(api().url);
    const socket = connect(Number(port), hostname);
    socket.write(
      `POST /v1/files HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${KEY}\r\nanthropic-version: 2026-10-21\r\n` +
        'content-type: multipart/form-data; boundary=x\r\ncontent-length: 5000000\r\n\r\n' +
        `--x\r\ncontent-disposition: form-data; name="file"; filename="half"\r\n\r\n${'a'.repeat(1_000_000)}`,
    );
    await new Promise((resolve) => setTimeout(resolve, 300));
    socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await api().client().files.list({ limit: 1000 })).data.length).toBe(before);
    expect((await api().send('GET', '/v1/files')).status).toBe(200);
  });
});

const headers = { authorization: `Bearer ${KEY}`, 'anthropic-version': '2026-10-21', 'anthropic-beta': BETA };
async function raw(form: FormData, more: Record<string, string> = {}) {
  const response = await fetch(`${api().url}/v1/files`, {
    method: 'POST',
    headers: { ...headers, ...more },
    body: form,
  });
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  return { status: response.status, json: (await response.json()) as any };
}
