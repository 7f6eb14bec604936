/** Reading `deploy/temporal/dynamic-config.yaml`, the one place of the Temporal server's settings that sessions need. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { z } from 'zod';

/** Path of the file, for servers that read it themselves. */
export const DYNAMIC_CONFIG_FILE = fileURLToPath(new URL('../deploy/temporal/dynamic-config.yaml', import.meta.url));

/** The file's shape as far as we use it: one value per key, for everybody (no constraints). */
const file = z.record(z.string(), z.tuple([z.strictObject({ value: z.unknown() })]));

/** The settings by key, as the dev server takes them: `--dynamic-config-value KEY=JSON`. */
export function dynamicConfig(): Record<string, unknown> {
  const settings = file.parse(parse(readFileSync(DYNAMIC_CONFIG_FILE, 'utf8')));
  return Object.fromEntries(Object.entries(settings).map(([key, [{ value }]]) => [key, value]));
}
