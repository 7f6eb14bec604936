/** `/v1/environments`: create, list, get, update, archive, delete. */
import { z } from '@hono/zod-openapi';
import { idBody } from '../events/ids.ts';
import {
  deleteEnvironment,
  type Environment,
  findEnvironment,
  insertEnvironment,
  listEnvironments,
  saveEnvironment,
} from '../store/environments.ts';
import { sessionsOfEnvironment } from '../store/sessions.ts';
import { metadataObject, time } from './agent-object.ts';
import { id, includeArchived, limit, metadata, metadataPatch, name, page, patchMetadata } from './common.ts';
import type { Request } from './context.ts';
import { decodeCursor, encodeCursor, objectPosition } from './cursor.ts';
import { invalid, notFound } from './errors.ts';
import { type Route, route } from './route.ts';

type Config = Environment['config'];
type Cloud = Extract<Config, { type: 'cloud' }>;

const MANAGERS = ['apt', 'cargo', 'gem', 'go', 'npm', 'pip'] as const;
/** A bare host name, or `*.` and one. */
const HOST = /^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i;
const allowedHost = z
  .string()
  .max(255)
  .regex(HOST, 'Input must be a bare host name or "*." and one, without scheme, port or path');

const packageList = z.array(z.string().min(1).max(512)).max(500).nullable().optional();
const networking = z
  .discriminatedUnion('type', [
    z.strictObject({ type: z.literal('unrestricted') }),
    z.strictObject({
      type: z.literal('limited'),
      allowed_hosts: z.array(allowedHost).max(1000).nullable().optional(),
      allow_mcp_servers: z.boolean().nullable().optional(),
      allow_package_managers: z.boolean().nullable().optional(),
    }),
  ])
  .nullable()
  .optional();
const config = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('cloud'),
    networking,
    packages: z
      .strictObject({
        type: z.literal('packages').optional(),
        apt: packageList,
        cargo: packageList,
        gem: packageList,
        go: packageList,
        npm: packageList,
        pip: packageList,
      })
      .nullable()
      .optional(),
  }),
  z.strictObject({ type: z.literal('self_hosted') }),
]);
type ConfigParams = z.output<typeof config>;

const description = z.string().max(2048).nullable().optional();
const scope = z.enum(['organization', 'account']).nullable().optional();
const createBody = z.strictObject({
  name,
  description,
  config: config.nullable().optional(),
  metadata: metadata.optional(),
  scope,
});
const updateBody = z.strictObject({
  name: name.nullable().optional(),
  description,
  config: config.nullable().optional(),
  metadata: metadataPatch.nullable().optional(),
  scope,
});

const packages = z.array(z.string());
const environmentObject = z
  .object({
    id,
    type: z.literal('environment'),
    name: z.string(),
    description: z.string().nullable(),
    config: z.discriminatedUnion('type', [
      z.object({
        type: z.literal('cloud'),
        networking: z.discriminatedUnion('type', [
          z.object({ type: z.literal('unrestricted') }),
          z.object({
            type: z.literal('limited'),
            allowed_hosts: z.array(z.string()),
            allow_mcp_servers: z.boolean(),
            allow_package_managers: z.boolean(),
          }),
        ]),
        packages: z.object({
          type: z.literal('packages'),
          apt: packages,
          cargo: packages,
          gem: packages,
          go: packages,
          npm: packages,
          pip: packages,
        }),
      }),
      z.object({ type: z.literal('self_hosted') }),
    ]),
    metadata: metadataObject,
    scope: z.literal('organization'),
    created_at: time,
    updated_at: time,
    archived_at: time.nullable(),
  })
  .openapi('Environment') satisfies z.ZodType<Environment>;

export function environmentRoutes(): Route[] {
  return [
    route({
      method: 'post',
      path: '/v1/environments',
      summary: 'Create an environment',
      body: createBody,
      example: { name: 'plain', config: { type: 'cloud', networking: { type: 'unrestricted' } } },
      response: environmentObject,
      once: 'transaction',
      handle: create,
    }),
    route({
      method: 'get',
      path: '/v1/environments',
      summary: 'List environments, newest first',
      query: z.strictObject({ limit: limit(20, 100), page, include_archived: includeArchived }),
      response: z.object({ data: z.array(environmentObject), next_page: z.string().nullable() }),
      async handle({ db, caller, query }) {
        const from = objectPosition(decodeCursor(query.page, 'environments', 'desc'));
        const rows = await listEnvironments(db, caller.workspaceId, query.include_archived, query.limit + 1, from);
        const data = rows.slice(0, query.limit);
        const last = rows.length > data.length ? data.at(-1) : undefined;
        const position = last && { createdAt: Date.parse(last.created_at), id: last.id };
        return { data, next_page: position ? encodeCursor({ l: 'environments', o: 'desc', p: position }) : null };
      },
    }),
    route({
      method: 'get',
      path: '/v1/environments/{environment_id}',
      summary: 'Get an environment',
      response: environmentObject,
      handle: (request) => existing(request),
    }),
    route({
      method: 'post',
      path: '/v1/environments/{environment_id}',
      summary: 'Update an environment: what is left out stays, at every level',
      body: updateBody,
      example: { description: 'No network.', metadata: { owner: 'data team' } },
      response: environmentObject,
      once: 'transaction',
      handle: update,
    }),
    route({
      method: 'post',
      path: '/v1/environments/{environment_id}/archive',
      summary: 'Archive an environment, for good',
      response: environmentObject,
      once: 'transaction',
      async handle(request) {
        const environment = await existing(request, 'update');
        if (environment.archived_at !== null) return environment;
        const at = new Date(request.deps.now()).toISOString();
        const archived: Environment = { ...environment, archived_at: at, updated_at: at };
        await saveEnvironment(request.db, request.caller.workspaceId, archived);
        return archived;
      },
    }),
    route({
      method: 'delete',
      path: '/v1/environments/{environment_id}',
      summary: 'Delete an environment that no session refers to',
      response: z.object({ id, type: z.literal('environment_deleted') }),
      once: 'transaction',
      async handle(request) {
        const environment = await existing(request, 'update');
        const [session] = await sessionsOfEnvironment(request.db, environment.id, 1);
        if (session)
          throw invalid(
            '',
            `Environment ${environment.id} is used by session ${session}; delete its sessions first, or archive it.`,
          );
        await deleteEnvironment(request.db, request.caller.workspaceId, environment.id);
        return { id: environment.id, type: 'environment_deleted' };
      },
    }),
  ];
}

async function existing({ db, caller, params }: Request<unknown, unknown>, lock?: 'update'): Promise<Environment> {
  const { environment_id = '' } = params;
  const environment = await findEnvironment(db, caller.workspaceId, environment_id, lock);
  if (!environment) throw notFound('Environment', environment_id);
  return environment;
}

async function create({
  db,
  caller,
  body,
  effectId,
  since,
}: Request<unknown, z.output<typeof createBody>>): Promise<Environment> {
  refuseAccountScope(body.scope);
  const at = since.toISOString();
  const environment: Environment = {
    type: 'environment',
    id: `env_${idBody(effectId)}`,
    name: body.name,
    description: body.description ?? null,
    config: resolveConfig(body.config ?? { type: 'cloud' }),
    metadata: body.metadata ?? {},
    scope: 'organization',
    created_at: at,
    updated_at: at,
    archived_at: null,
  };
  await insertEnvironment(db, caller.workspaceId, environment);
  return environment;
}

async function update(request: Request<unknown, z.output<typeof updateBody>>): Promise<Environment> {
  const { deps, db, caller, body } = request;
  const environment = await existing(request, 'update');
  if (environment.archived_at !== null) {
    throw invalid('', `Environment ${environment.id} is archived and cannot be updated.`, 'environment_archived');
  }
  refuseAccountScope(body.scope);
  if (body.config && body.config.type !== environment.config.type) {
    throw invalid(
      'config.type',
      `This environment is ${environment.config.type}, which cannot change after creation`,
      'invalid_config_type_change',
    );
  }
  const changed: Environment = {
    ...environment,
    name: body.name ?? environment.name,
    description: body.description === undefined ? environment.description : body.description,
    config: body.config ? resolveConfig(body.config, environment.config) : environment.config,
    metadata: patchMetadata(environment.metadata, body.metadata, true),
    updated_at: new Date(deps.now()).toISOString(),
  };
  await saveEnvironment(db, caller.workspaceId, changed);
  return changed;
}

function refuseAccountScope(given: 'organization' | 'account' | null | undefined): void {
  if (given === 'account') throw invalid('scope', 'Only "organization" is supported');
}

/** Fills in what was left out: from the stored config on an update, else with the defaults. */
function resolveConfig(params: ConfigParams, stored?: Config): Config {
  if (params.type === 'self_hosted') return { type: 'self_hosted' };
  const before = stored?.type === 'cloud' ? stored : undefined;
  const packages = params.packages ?? {};
  const cloud: Cloud = {
    type: 'cloud',
    networking: resolveNetworking(params.networking, before?.networking),
    packages: {
      type: 'packages',
      apt: packages.apt ?? before?.packages.apt ?? [],
      cargo: packages.cargo ?? before?.packages.cargo ?? [],
      gem: packages.gem ?? before?.packages.gem ?? [],
      go: packages.go ?? before?.packages.go ?? [],
      npm: packages.npm ?? before?.packages.npm ?? [],
      pip: packages.pip ?? before?.packages.pip ?? [],
    },
  };
  if (cloud.networking.type === 'limited' && hasPackages(cloud) && !cloud.networking.allow_package_managers) {
    throw invalid(
      'config.networking.allow_package_managers',
      'Must be true when packages are given under limited networking',
    );
  }
  return cloud;
}

function resolveNetworking(
  params: Extract<ConfigParams, { type: 'cloud' }>['networking'],
  stored?: Cloud['networking'],
): Cloud['networking'] {
  if (!params) return stored ?? { type: 'unrestricted' };
  if (params.type === 'unrestricted') return params;
  const before = stored?.type === 'limited' ? stored : undefined;
  return {
    type: 'limited',
    allowed_hosts: params.allowed_hosts ?? before?.allowed_hosts ?? [],
    allow_mcp_servers: params.allow_mcp_servers ?? before?.allow_mcp_servers ?? false,
    allow_package_managers: params.allow_package_managers ?? before?.allow_package_managers ?? false,
  };
}

function hasPackages(cloud: Cloud): boolean {
  return MANAGERS.some((manager) => cloud.packages[manager].length > 0);
}

/** @throws ApiError 400 for what sessions cannot be given yet. */
export function refuseUnenforced(environment: Environment): void {
  const { config: stored } = environment;
  const refuse = (field: string, what: string) =>
    invalid(
      'environment_id',
      `${environment.id} has config.${field}: ${what} not enforced by this version of Longhand, so no session can use it.`,
    );
  if (stored.type === 'self_hosted') throw refuse('type self_hosted', 'self-hosted sandboxes are');
  for (const manager of MANAGERS) {
    if (stored.packages[manager].length > 0) throw refuse(`packages.${manager}`, 'packages are');
  }
  const { networking: network } = stored;
  if (network.type !== 'limited') return;
  if (network.allowed_hosts.length > 0) throw refuse('networking.allowed_hosts', 'network access is');
  if (network.allow_mcp_servers) throw refuse('networking.allow_mcp_servers', 'network access is');
  if (network.allow_package_managers) throw refuse('networking.allow_package_managers', 'network access is');
}
