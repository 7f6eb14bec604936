/** The blob store that a URL names: a folder or a bucket. */
import { fileURLToPath } from 'node:url';
import type { S3Client } from '@aws-sdk/client-s3';
import type { Blobs } from './blobs.ts';
import { openLocalBlobs } from './local.ts';

/** The URL names no blob store; the message says what would. */
export class BlobUrlError extends Error {
  override name = 'BlobUrlError';
}

/** Where blobs are kept. */
export type BlobPlace =
  | { kind: 'folder'; path: string }
  | {
      kind: 'bucket';
      name: string;
      /** In front of every key; empty, or ends with a slash. */
      prefix: string;
      /** Absent: AWS's own, or what the environment says (`AWS_ENDPOINT_URL_S3`, `AWS_REGION`). */
      endpoint?: string;
      region?: string;
      /** The bucket's name stands in the path instead of the host name. */
      pathStyle: boolean;
    };

const PARAMETERS = ['endpoint', 'region', 'path_style'];

/**
 * `file:///srv/blobs`, or `s3://bucket/prefix?endpoint=https://…&region=…&path_style=true`. Credentials never stand in
 * the URL. @throws BlobUrlError
 */
export function blobPlace(url: string): BlobPlace {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed?.protocol === 'file:' && parsed.search === '') {
    try {
      return { kind: 'folder', path: fileURLToPath(parsed) };
    } catch (error) {
      throw refused(url, (error as Error).message);
    }
  }
  if (parsed?.protocol !== 's3:') throw refused(url, 'it begins with neither file:// nor s3://');
  const { hostname: name, pathname, searchParams, username, password } = parsed;
  if (username || password) throw refused('s3://…', 'credentials do not belong into it (AWS_ACCESS_KEY_ID has them)');
  if (name === '') throw refused(url, 'it names no bucket');
  for (const key of searchParams.keys()) {
    if (!PARAMETERS.includes(key)) throw refused(url, `"${key}" is none of ${PARAMETERS.join(', ')}`);
  }
  const [endpoint, region, pathStyle] = PARAMETERS.map((key) => searchParams.get(key) ?? undefined);
  if (endpoint !== undefined && !/^https?:\/\//.test(endpoint)) throw refused(url, 'endpoint must be an http(s) URL');
  if (pathStyle !== undefined && pathStyle !== 'true' && pathStyle !== 'false') {
    throw refused(url, 'path_style must be true or false');
  }
  const prefix = decodeURIComponent(pathname).replace(/^\/+|\/+$/g, '');
  return {
    ...{ kind: 'bucket', name, prefix: prefix ? `${prefix}/` : '', pathStyle: pathStyle === 'true' },
    ...(endpoint ? { endpoint } : {}),
    ...(region ? { region } : {}),
  };
}

/** @param url - as for {@link blobPlace}. */
export async function openBlobs(url: string): Promise<Blobs> {
  const place = blobPlace(url);
  if (place.kind === 'folder') return await openLocalBlobs(place.path);
  const { openS3Blobs } = await import('./s3.ts');
  return openS3Blobs({ client: await s3Client(place), name: place.name, prefix: place.prefix });
}

/** Credentials come the way they do for every AWS program: the environment, a profile, the machine's role. */
export async function s3Client({
  endpoint,
  region,
  pathStyle,
}: Extract<BlobPlace, { kind: 'bucket' }>): Promise<S3Client> {
  // Only where it is used: it takes 60 MB.
  const { S3Client } = await import('@aws-sdk/client-s3');
  return new S3Client({
    ...(endpoint ? { endpoint } : {}),
    // Stores that know no regions accept any.
    ...(region ? { region } : process.env.AWS_REGION ? {} : { region: 'us-east-1' }),
    forcePathStyle: pathStyle,
    // Our names are hashes of the bytes; not every store knows the newer checksums.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
}

function refused(url: string, why: string): BlobUrlError {
  return new BlobUrlError(
    `BLOB_URL is "${url}": ${why}. Give a URL such as file:///srv/longhand/blobs or s3://bucket/longhand?region=eu-central-1.`,
  );
}
