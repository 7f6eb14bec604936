/**
 * `/openapi.json` is the API, exactly: schemathesis sends what it allows and what it forbids to a served API over the
 * real stores, and compares each answer with what the document says of it.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pythonWithSchemathesis } from '../test/support/python.ts';
import { BETA, KEY, makeParts, makeSession, useApi } from './testing.ts';

const api = useApi({ temporal: true, settings: { files: { downloadUploads: true } } });
const run = promisify(execFile);
let python = '';
let folder = '';
beforeAll(async () => {
  python = await pythonWithSchemathesis();
  folder = await mkdtemp(join(tmpdir(), 'longhand-schemathesis-'));
}, 240_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Seconds for the whole run. An idle machine does everything (3,600 requests) in 45; a busy one does the first part. */
const MAX_TIME = 75;
/** Requests that must have been made all the same, on a machine with ten times as much to do as it can. */
const LEAST = 60;

/**
 * Rules that hold between fields, or between the request and what is stored, which JSON Schema cannot say: an effort
 * that the model does not take, a server that no tool uses, what sessions refuse so far. What is allowed is not always
 * accepted there; `malformed-*.test.ts` has each of these rules.
 */
const RELATED = [
  'POST /v1/agents',
  'POST /v1/agents/{agent_id}',
  'POST /v1/environments',
  'POST /v1/environments/{environment_id}',
  'POST /v1/sessions',
  'POST /v1/sessions/{session_id}',
  'POST /v1/sessions/{session_id}/events',
  'POST /v1/sessions/{session_id}/archive',
  'DELETE /v1/sessions/{session_id}',
  'DELETE /v1/environments/{environment_id}',
  'POST /v1/sessions/{session_id}/resources',
  'POST /v1/sessions/{session_id}/resources/{resource_id}',
];

const SKILL_MD = '---\nname: greeting\ndescription: Greets people.\n---\n\nSay hello.\n';

/** Objects that exist; the paths that end one get their own. */
async function pathParameters(): Promise<{ all: string; ends: Record<string, string> }> {
  const { agent, environment } = await makeParts(api());
  const [session, archived, deleted] = [await makeSession(api()), await makeSession(api()), await makeSession(api())];
  const [{ id: thread }] = (await api().send('GET', `/v1/sessions/${session}/threads`)).json.data;
  const spare = await makeParts(api());
  const gone = await makeParts(api());
  const { files, skills, sessions } = api().client().beta;
  const upload = async () => (await files.upload({ file: new File(['some text'], 'a.txt') })).id;
  const content = () => [new File([SKILL_MD], 'greeting/SKILL.md')];
  const skill = async () => await skills.create({ files: content() });
  const changing = await skill();
  const version = await skills.versions.create(changing.id, { files: content() });
  const resource = async () => (await sessions.resources.add(session, { type: 'file', file_id: await upload() })).id;
  const known = await skill();
  const line = (name: string, value: string) => `"path.${name}" = "${value}"`;
  return {
    all: [
      line('agent_id', agent),
      line('environment_id', environment),
      line('session_id', session),
      line('thread_id', thread),
      line('model_id', 'claude-opus-5-5'),
      line('file_id', await upload()),
      line('skill_id', known.id),
      line('version', known.latest_version_id),
      line('resource_id', await resource()),
    ].join('\n'),
    ends: {
      'POST /v1/agents/{agent_id}/archive': line('agent_id', spare.agent),
      'POST /v1/environments/{environment_id}/archive': line('environment_id', spare.environment),
      'POST /v1/sessions/{session_id}/archive': line('session_id', archived),
      'DELETE /v1/sessions/{session_id}': line('session_id', deleted),
      'DELETE /v1/environments/{environment_id}': line('environment_id', gone.environment),
      'DELETE /v1/files/{file_id}': line('file_id', await upload()),
      'DELETE /v1/skills/{skill_id}': line('skill_id', (await skill()).id),
      'DELETE /v1/skills/{skill_id}/versions/{version}': [
        line('skill_id', changing.id),
        line('version', version.id),
      ].join('\n'),
      'DELETE /v1/sessions/{session_id}/resources/{resource_id}': line('resource_id', await resource()),
    },
  };
}

/** Streams are left out: they end with their session, so each request would wait. `stream.test.ts` has them. */
async function config(): Promise<string> {
  const { all, ends } = await pathParameters();
  const operations = [...new Set([...RELATED, ...Object.keys(ends)])].map((name) => {
    const positive = RELATED.includes(name) ? 'checks.positive_data_acceptance.enabled = false\n' : '';
    const own = ends[name] ? `[operations.parameters]\n${ends[name]}\n` : '';
    return `[[operations]]\ninclude-name = "${name}"\n${positive}${own}`;
  });
  return `
base-url = "${api().url}"
hooks = "${join(folder, 'hooks.py')}"
request-timeout = 20
max-time = ${MAX_TIME}
continue-on-failure = true
warnings = false
generation.max-examples = 10
generation.deterministic = true
generation.database = "none"
generation.no-shrink = true
# Creating and deleting in sequence is what the other tests of this room do.
phases.stateful.enabled = false
# Without its beta header a resource does not exist, as in the hosted API.
checks.missing_required_header.expected-statuses = [400, 401, 403, 404]

[auth.openapi.bearer]
bearer = "${KEY}"

[parameters]
${all}

[[operations]]
include-path-regex = "/stream$"
enabled = false

${operations.join('\n')}`;
}

/**
 * Cursors and ids of other objects are opaque: no generated one can be right, so allowed requests go without. So they do
 * without an Idempotency-Key, which means the same request to every path. Files are asked for by id or in pages, and a
 * scope goes with the beta header. What an upload says of a skill stands in a file of it, which no schema describes.
 */
const HOOKS = `
import schemathesis

@schemathesis.hook
def before_call(context, case, kwargs):
    if case.method.upper() != case.operation.method.upper():
        # Without its beta header a resource has no methods at all.
        case.headers = {**(case.headers or {}), "anthropic-beta": "${BETA}"}
        return
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    for name in ("page", "agent_version", "after_id", "before_id"):
        (case.query or {}).pop(name, None)
    (case.headers or {}).pop("idempotency-key", None)
    label = case.operation.label
    if label == "GET /v1/files":
        if "ids[]" in case.query:
            case.query["ids[]"] = case.query["ids[]"][:100]
            case.query.pop("limit", None)
        if "scope_id" in case.query:
            case.headers["anthropic-beta"] = "${BETA}"
    if label in ("POST /v1/skills", "POST /v1/skills/{skill_id}/versions") and isinstance(case.body, dict):
        fields = [(name, (None, value)) for name, value in case.body.items() if name != "files"]
        kwargs["files"] = [*fields, ("files", ("greeting/SKILL.md", ${JSON.stringify(SKILL_MD)}))]
`;

test('the document is valid OpenAPI 3.1', async () => {
  const { json } = await api().send('GET', '/openapi.json');
  const file = join(folder, 'openapi.json');
  await writeFile(file, JSON.stringify(json));
  const { stdout } = await run(python, ['-m', 'openapi_spec_validator', '--schema', '3.1', file]);
  expect(stdout).toMatch(/OK/);
}, 60_000);

test('every answer is as documented, what the document allows is accepted, and what it forbids is refused', async () => {
  const file = join(folder, 'schemathesis.toml');
  await writeFile(file, await config());
  await writeFile(join(folder, 'hooks.py'), HOOKS);
  const command = 'from schemathesis.cli import schemathesis; schemathesis()';
  const args = ['-c', command, '--config-file', file, '--no-color', 'run', `${api().url}/openapi.json`];
  const { stdout, failed } = await run(python, args, { cwd: folder, maxBuffer: 1 << 26 }).then(
    (done) => ({ ...done, failed: false }),
    (error: { stdout: string; stderr: string }) => ({ stdout: error.stdout + error.stderr, failed: true }),
  );
  if (process.env.LONGHAND_TEST_LOGS) console.log(stdout);
  expect(failed ? stdout.slice(-20_000) : '').toBe('');
  expect(stdout).toMatch(/Tested: 44\n/);
  expect(Number(stdout.match(/(\d+) generated/)?.[1])).toBeGreaterThan(LEAST);
}, 240_000);
