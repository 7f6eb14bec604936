/** Which domains the web tools' lists may hold: plain host names, as the hosted API takes them. */
import { z } from '@hono/zod-openapi';

const MAX_ENTRIES = 64;
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const RESERVED = ['localhost', 'local', 'internal', 'localdomain', 'invalid'];

/** @param paths - the entries may end in a path (`web_search`). */
export function domainList(paths: boolean) {
  return z
    .array(z.string().min(1).max(255))
    .min(1, 'An empty list is not allowed; leave the field out instead')
    .max(MAX_ENTRIES)
    .superRefine((list, context) => {
      const seen = new Set<string>();
      for (const [index, entry] of list.entries()) {
        const plain = entry.toLowerCase().replace(/\/$/, '');
        const message = seen.has(plain) ? 'is a duplicate' : problemOf(plain, paths);
        seen.add(plain);
        if (message)
          context.addIssue({ code: 'custom', path: [index], message: `${JSON.stringify(entry)} ${message}` });
      }
    })
    .nullable()
    .optional();
}

function problemOf(entry: string, paths: boolean): string | undefined {
  const [host = '', ...path] = entry.split('/');
  if (/[^\x21-\x7e]/.test(entry)) return 'must be ASCII without spaces; use the punycode form of the name';
  if (entry.includes('://') || entry.includes('@') || entry.includes('*'))
    return 'must be a host name alone, without scheme, credentials or wildcard';
  if (host.includes(':') || /^[\d.]+$/.test(host) || /^0x/.test(host))
    return 'must be a name, without port, and not an IP address';
  if (path.length > 0 && !paths) return 'must not have a path';
  if (/[?#$,|^!]/.test(path.join('/'))) return 'has a path with characters that are not allowed';
  const labels = host.split('.');
  if (RESERVED.includes(labels.at(-1) ?? '')) return 'is a reserved name';
  if (labels.length < 2) return 'must have at least two labels';
  if (!labels.every((label) => LABEL.test(label))) return 'is not a host name';
  return undefined;
}
