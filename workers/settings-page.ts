/** docs/settings.md, made from the table of settings: `node workers/settings-page.ts` writes it. */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { unknownModel } from './models-file.ts';
import { SETTINGS } from './settings.ts';

export const SETTINGS_PAGE = fileURLToPath(new URL('../docs/settings.md', import.meta.url));

export function settingsPage(): string {
  const unknown = unknownModel('…');
  return `# Settings

Longhand is set up by environment variables, read once at start. An empty variable counts as unset; a wrong one ends the
start with a line that names it. This page is made from \`workers/settings.ts\` (\`node workers/settings-page.ts\`).

| variable | read by | default | meaning |
|---|---|---|---|
${Object.entries(SETTINGS)
  .map(
    ([name, row]) =>
      `| \`${name}\` | ${row.readBy.length === 3 ? 'all' : row.readBy.join(', ')} | ${row.default} | ${row.meaning} |`,
  )
  .join('\n')}

\`longhand dev\` reads all of them and hands each part its own. \`longhand api\`, \`longhand brain\` and \`longhand hands\`
refuse to start when they see a secret that is not theirs: the hands neither a model key nor a database, the brain and the
api no vault key (\`LONGHAND_VAULT_KEY\`), the api no model key.

No \`ANTHROPIC_*\` variable is read: programs that use Longhand have those pointed at it. \`PATH\`, \`HOME\`,
\`XDG_CACHE_HOME\`, \`XDG_RUNTIME_DIR\` and \`HTTPS_PROXY\` mean what they always mean. Programs that Longhand obtains are
kept in \`$XDG_CACHE_HOME/longhand\` (default \`~/.cache/longhand\`); as root the embedded PostgreSQL is kept in
\`/var/cache/longhand\`, because it runs under an unprivileged id there.

## The models file

\`LONGHAND_MODELS\` names a YAML or JSON file: model id → the id that the provider is asked for, or an object. Absent
members keep the value of the built-in list.

\`\`\`yaml
claude-opus-5-5: anthropic.claude-opus-5-5 # only another upstream id
our-model:
  upstream: vendor/our-model-v3
  window: 131072 # context window, tokens
  max_output: 16384 # most tokens of one reply
  efforts: [medium, low, high] # the default first; [] when it takes none
  thinking: none # or adaptive
  fast: false # takes speed: fast
  system_messages: false # takes system messages in the middle of a conversation
  display_name: Our model
\`\`\`

A model that is in neither list is sent upstream under its own id, with a window of ${unknown.window.toLocaleString('en')} tokens, replies of at
most ${unknown.maxOutput.toLocaleString('en')} tokens, no effort, no thinking and no system messages.

## The targets file

\`LONGHAND_TARGETS\` names a YAML or JSON file: the kinds of sandboxes that there are beside the ordinary ones. An environment
asks for one with \`longhand.target\` in its metadata, and for another image with \`longhand.image\`; a session keeps what it was
created with. Every member may be left out. What is not offered is refused when a session is created.

\`\`\`yaml
default: # changes the ordinary sandboxes
  limits: { memory: 4Gi }
gpu: # at most 40 of a-z, 0-9 and "-"
  queue: hands.gpu # hands with LONGHAND_HANDS_QUEUE=hands.gpu make them; absent: the queue of \`default\`
  limits: { cpus: 8, memory: 32Gi, disk: 100Gi, pids: 2048 } # absent ones: 2 CPUs, 2Gi, 8Gi, 512
  # The rest needs LONGHAND_SANDBOX=kubernetes.
  nodeSelector: { example.com/pool: gpu } # values are strings: quote "true" and numbers
  tolerations: [{ key: nvidia.com/gpu, operator: Exists, effect: NoSchedule }] # as Kubernetes has them
  resources: { nvidia.com/gpu: 1 } # extended resources of the shell
  image: registry.example/longhand-sandbox-cuda:1 # built on top of k8s/image
  images: [registry.example/longhand-sandbox-cuda:2] # longhand.image may choose these, too
  warmPool: 1 # sandboxes of this kind that are kept ready, as LONGHAND_WARM_POOL keeps ordinary ones
\`\`\`

The API and the brain check names and images; the hands look up what they mean in their own copy of the file, and refuse what is
not in it. A sandbox that is already there stays as it is; the next one of its session is made by the file as it is then.
`;
}

if (import.meta.main) await writeFile(SETTINGS_PAGE, settingsPage());
