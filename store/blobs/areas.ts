/** What areas and blobs may be called: nothing that leaves its place in a folder or a bucket. */
const AREA = /^(sesn|wrkspc)_[0-9A-Za-z]{1,64}(\/(inputs|outputs))?$/;
const SHA256 = /^[0-9a-f]{64}$/;

/** @returns the area. @throws Error when it is none. */
export function checkedArea(area: string): string {
  if (!AREA.test(area)) throw new Error(`Not an area of the blob store: ${JSON.stringify(area)}`);
  return area;
}

/** @returns the name. @throws Error when it is none. */
export function checkedName(sha256: string): string {
  if (!isBlobName(sha256)) throw new Error(`Not a SHA-256 in lower-case hex: ${JSON.stringify(sha256)}`);
  return sha256;
}

export function isBlobName(name: string): boolean {
  return SHA256.test(name);
}
