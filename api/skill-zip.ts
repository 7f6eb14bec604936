/** Skills as zip archives: read with suspicion, and written. */
import { PassThrough, Readable } from 'node:stream';
import yauzl, { type Entry } from 'yauzl';
import yazl from 'yazl';
import { type ApiError, invalid } from './errors.ts';
import { MAX_FILES, MAX_SKILL_BYTES } from './skill-manifest.ts';

export interface ZipMember {
  path: string;
  body: Buffer;
  executable: boolean;
}

const FILE_TYPE = 0o170000;
const REGULAR = 0o100000;
/** What a Mac adds to archives. */
const LEFT_OUT = /(^|\/)(__MACOSX\/|\.DS_Store$)/;
/** The same bytes for the same files. */
const MTIME = new Date(Date.UTC(2000, 0, 1));

/** The regular files of an archive. Nothing is unpacked before the sizes that it announces have been added up. @throws ApiError 400 */
export async function readZip(bytes: Buffer): Promise<ZipMember[]> {
  try {
    // Refuses absolute paths, climbing and backslashes, and members that are larger than they say.
    const zip = await yauzl.fromBufferPromise(bytes, {
      lazyEntries: true,
      strictFileNames: true,
      validateEntrySizes: true,
    });
    const entries: Entry[] = [];
    let total = 0;
    for await (const entry of zip.eachEntry()) {
      if (LEFT_OUT.test(entry.fileName) || entry.fileName.endsWith('/')) continue;
      refuseOdd(entry);
      total += entry.uncompressedSize;
      if (total > MAX_SKILL_BYTES) throw tooLarge();
      if (entries.push(entry) > MAX_FILES) throw invalid('files', `A skill has at most ${MAX_FILES} files`);
    }
    const members: ZipMember[] = [];
    for (const entry of entries) {
      const body = await bounded(await zip.openReadStreamPromise(entry), entry);
      members.push({ path: entry.fileName, body, executable: (modeOf(entry) & 0o111) !== 0 });
    }
    return members;
  } catch (error) {
    if (error instanceof Error && error.name === 'ApiError') throw error;
    throw invalid('files', `The zip archive cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function refuseOdd(entry: Entry): void {
  const name = JSON.stringify(entry.fileName.slice(0, 200));
  if (entry.isEncrypted()) throw invalid('files', `${name} is encrypted`);
  const type = modeOf(entry) & FILE_TYPE;
  if (type !== 0 && type !== REGULAR) throw invalid('files', `${name} is a link or another special file`);
  if (!entry.canDecodeFileData()) throw invalid('files', `${name} is compressed in a way that is not supported`);
}

/** Unix permissions, where the archive was made on such a system. */
function modeOf(entry: Entry): number {
  return entry.externalFileAttributes >>> 16;
}

async function bounded(stream: Readable, entry: Entry): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > entry.uncompressedSize) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooLarge(): ApiError {
  return invalid('files', `The files of a skill have more than ${MAX_SKILL_BYTES} bytes together`);
}

export interface ArchiveFile {
  path: string;
  executable?: boolean;
  open(): Promise<Readable>;
}

/** An archive with one top folder and nothing but files. Each is opened when it is its turn. */
export function writeZip(folder: string, files: ArchiveFile[]): Readable {
  const zip = new yazl.ZipFile();
  const out = new PassThrough();
  const fail = (error: unknown) => out.destroy(error instanceof Error ? error : new Error(String(error)));
  zip.on('error', fail);
  for (const file of files) {
    const options = { mtime: MTIME, mode: file.executable ? 0o100755 : 0o100644 };
    zip.addReadStreamLazy(`${folder}/${file.path}`, options, (give) => {
      file.open().then(
        (stream) => {
          stream.once('error', fail);
          give(null, stream);
        },
        (error: unknown) => {
          fail(error);
          give(error, Readable.from([]));
        },
      );
    });
  }
  zip.end();
  return zip.outputStream.pipe(out);
}
