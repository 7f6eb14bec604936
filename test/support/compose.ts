/** `docker-compose.temporal.yml` as Compose reads it: judged by the Compose Specification's own program. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findProgram } from '../../workers/programs/find-program.ts';
import { COMPOSE_SPEC } from '../../workers/programs/program.ts';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const COMPOSE_FILE = fileURLToPath(new URL('../../docker-compose.temporal.yml', import.meta.url));

export interface ComposeService {
  image?: string;
  command?: string[];
  entrypoint?: string[];
  environment?: Record<string, string>;
  depends_on?: Record<string, { condition: string }>;
  ports?: { host_ip?: string; target: number; published: string }[];
  volumes?: { type: string; source: string; target: string; read_only?: boolean }[];
  networks?: Record<string, unknown>;
  healthcheck?: { test: string[] };
  cap_add?: string[];
  cap_drop?: string[];
  security_opt?: string[];
  privileged?: boolean;
  read_only?: boolean;
}

export interface ComposeModel {
  services: Record<string, ComposeService>;
  networks: Record<string, { internal?: boolean }>;
  volumes: Record<string, unknown>;
}

/** @throws Error with the specification's words when the file does not conform to it. */
export async function readCompose(file = COMPOSE_FILE): Promise<ComposeModel> {
  const program = await findProgram(COMPOSE_SPEC, { onProgress: (line) => console.log(line) });
  const args = ['-no-interpolation', '-no-path-resolution', '-format', 'json', file];
  const { stdout } = await promisify(execFile)(program, args, { cwd: ROOT, maxBuffer: 16 * 1024 ** 2 });
  return JSON.parse(stdout) as ComposeModel;
}

/** A service's environment with `${NAME:?…}` and `${NAME:-}` replaced. @throws Error for a variable that is not given. */
export function environmentOf(
  { environment = {} }: ComposeService,
  given: Record<string, string>,
): Record<string, string> {
  const fill = (text: string) =>
    text.replaceAll(/\$\{(\w+):([?-])([^}]*)\}/g, (_whole, name: string, sign: string, rest: string) => {
      const value = given[name] || (sign === '-' ? rest : undefined);
      if (value === undefined) throw new Error(`${name}: ${rest}`);
      return value;
    });
  return Object.fromEntries(Object.entries(environment).map(([name, text]) => [name, fill(String(text))]));
}
