/**
 * What bash runs around commands. A command comes from a file, so an open quote or a stray brace is its own syntax
 * error and nothing else's. Exports and working directory arrive as a file of `declare` lines and leave through another.
 */

/**
 * `$1` is the folder of the commands' files. A number from fd 3 makes it fork for that command and say `ready` and the
 * pid; with the next line from fd 3 the fork begins. When it has ended, the shell says `over` and its exit status.
 * `set -m` gives each fork a process group. `source` lets `exit`, `return` and `set -e` mean what they mean; the trap saves
 * the state after an `exit`. `builtin`: a command may define functions with these names. Under gVisor a system call costs
 * 60 µs, and each redirection is eight of them: what can be done before the fork begins is done there. Errors are heard
 * once the state is back: a variable that is read-only in every bash (an exported `UID`) is none of the command's business.
 */
export const SHELL_SCRIPT = `\
set -m
while IFS= read -r -u 3 __longhand; do
(
  set +m
  __longhand=$1/$__longhand
  exec >"$__longhand.out" || exit
  __longhand_save() {
    builtin set -- "$?"
    builtin printf '%s\\0%s\\0' "$1" "$PWD"; builtin export -p; builtin printf '\\0'
  }
  trap "{ __longhand_save; } >|'$__longhand.after' 2>/dev/null" EXIT
  set --
  printf 'ready %s\\n' "$BASHPID" >&3 && IFS= read -r -u 3 || { trap - EXIT; exit; }
  exec 3>&-
  builtin source "$__longhand.env"
  if ! builtin cd -- "$__longhand_cwd"; then
    builtin printf 'bash: the working directory %s is gone; this is /workspace\\n' "$__longhand_cwd"
    builtin cd /workspace
  fi
  exec 2>&1
  builtin unset OLDPWD REPLY __longhand_cwd
  SECONDS=0
  builtin source "$__longhand"
)
printf 'over %s\\n' "$?" >&3
done
`;

/** Bytes of exports that are carried over; more than this is no environment that a program could be started with. */
export const MAX_STATE_BYTES = 256 * 1024;

/** A thread's shell between two commands. */
export interface ShellState {
  cwd: string;
  /** `declare -x` lines as bash printed them. */
  exports: string;
}

/** What a thread's first command begins with. */
export function firstState(cwd: string, env: Record<string, string>): ShellState {
  return {
    cwd,
    exports: Object.entries(env)
      .map(([name, value]) => `declare -x ${name}=${quote(value)}`)
      .join('\n'),
  };
}

/** What a command of {@link SHELL_SCRIPT} begins with. @param callId - marks its processes. */
export function stateFile(state: ShellState, callId: string): string {
  return `${state.exports}\nexport LONGHAND_CALL=${quote(callId)}\n__longhand_cwd=${quote(state.cwd)}\n`;
}

/**
 * What a command left in its file: its exit status and its state; undefined when it could not say all (killed, replaced
 * by `exec`, the disk is full).
 */
export function parseEnd(bytes: Buffer): { status: number; after: ShellState } | undefined {
  if (bytes.length > MAX_STATE_BYTES) return undefined;
  const [status, cwd, exports, rest] = bytes.toString('utf8').split('\0');
  if (cwd === undefined || exports === undefined || rest === undefined) return undefined;
  return { status: Number(status), after: { cwd, exports } };
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
