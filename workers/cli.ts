/** The subcommands of `longhand`. Each is imported only when it is asked for, so that help and errors are quick. */

/** A subcommand: gets the arguments after its name, resolves to the exit code. */
export type Command = (args: string[]) => Promise<number>;

interface Entry {
  summary: string;
  load(): Promise<Command>;
}

const COMMANDS: Record<string, Entry> = {
  dev: {
    summary: 'run everything on this machine until it is stopped (npm start)',
    load: async () => (await import('./dev-command.ts')).devCommand,
  },
  api: {
    summary: 'the HTTP API alone, for a PostgreSQL and a Temporal server of your own',
    load: async () => (await import('./api-command.ts')).apiCommand,
  },
  brain: {
    summary: 'the workflows and model requests alone',
    load: async () => (await import('./brain-command.ts')).brainCommand,
  },
  hands: {
    summary: 'the sandboxes of this machine alone',
    load: async () => (await import('./hands-command.ts')).handsCommand,
  },
  setup: {
    summary: 'put a PostgreSQL and a Temporal server of your own in order; run it at every new version',
    load: async () => (await import('./setup-command.ts')).setupCommand,
  },
  doctor: {
    summary: 'say what was found and what is missing, with the fix for each',
    load: async () => (await import('./doctor-command.ts')).doctorCommand,
  },
  obtain: {
    summary: 'find, download or build temporal and runsc now, and print where they are',
    load: async () => (await import('./obtain-command.ts')).obtainCommand,
  },
  demo: {
    summary: 'show one durable session from start to end (npm run demo)',
    load: async () => (await import('./demo-command.ts')).demoCommand,
  },
  keys: {
    summary: 'create, list and revoke API keys',
    load: async () => (await import('./keys-command.ts')).keysCommand,
  },
  workspaces: {
    summary: 'create and list workspaces',
    load: async () => (await import('./keys-command.ts')).workspacesCommand,
  },
  sessions: {
    summary: 'list, show, create, tail, send, approve, interrupt, files: work with sessions',
    load: async () => (await import('./sessions-command.ts')).sessionsCommand,
  },
  apply: {
    summary: 'create and change agents and environments as files say',
    load: async () => (await import('./apply-command.ts')).applyCommand,
  },
};

/** @returns the exit code: 0 done, 1 failed, 2 not usable here or used wrongly. Never throws. */
export async function main(args: string[]): Promise<number> {
  const [name, ...rest] = args;
  const entry = name === undefined ? undefined : COMMANDS[name];
  if (entry === undefined) {
    const asked = name === undefined || name === 'help' || name === '--help' || name === '-h';
    if (!asked) console.error(`longhand: there is no command "${name}".\n`);
    (asked ? console.log : console.error)(help());
    return asked && name !== undefined ? 0 : 2;
  }
  try {
    const command = await entry.load();
    return await command(rest);
  } catch (error) {
    console.error(`longhand ${name}: ${describe(error)}`);
    return error instanceof Error && 'exitCode' in error && typeof error.exitCode === 'number' ? error.exitCode : 1;
  }
}

/** Errors of ours say what to do; for the rest the message is what we have. Stack traces are for `NODE_DEBUG=longhand`. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return process.env.NODE_DEBUG === 'longhand' ? (error.stack ?? error.message) : error.message;
}

function help(): string {
  const rows = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(12)}${summary}`);
  return `Usage: longhand <command>\n\n${rows.join('\n')}\n\nSettings are environment variables: see docs/settings.md.`;
}
