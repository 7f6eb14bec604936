/**
 * What bash runs around commands. A command comes from a file, so an open quote or a stray brace is its own syntax
 * error and nothing else's. Exports and working directory arrive as a file of `declare` lines and leave through another.
 */

/**
 * For each command a line comes from fd 3: where it stands, where its state stands and where the state that it leaves
 * goes, the pipe for its output, and the call's id. Answers: `began` and the pid before anything of it runs, `over` and
 * its exit status. `set -m` gives each fork a process group. `source` lets `exit`, `return` and `set -e` mean what they
 * mean; the trap saves the state after an `exit`. `builtin`: a command may define functions with these names.
 */
export const SHELL_SCRIPT = `\
set -m
while IFS=' ' read -r -u 3 __longhand_command __longhand_state __longhand_after __longhand_output __longhand_call; do
(
  set +m
  exec >"$__longhand_output" 2>&1 || exit
  printf 'began %s\\n' "$BASHPID" >&3 || exit
  exec 3>&-
  __longhand_save() {
    { __longhand_status=$?; builtin set +eux; } 2>/dev/null
    { builtin printf '%s\\0%s\\0' "$__longhand_status" "$PWD"; builtin export -p; builtin printf '\\0'; } >|"$1" 2>/dev/null
  }
  builtin source "$__longhand_state" 2>/dev/null
  export LONGHAND_CALL=$__longhand_call
  if ! builtin cd -- "$__longhand_cwd" 2>/dev/null; then
    builtin printf 'bash: the working directory %s is gone; this is /workspace\\n' "$__longhand_cwd" >&2
    builtin cd /workspace
  fi
  builtin trap "__longhand_save '$__longhand_after'" EXIT
  builtin unset OLDPWD __longhand_{state,after,output,call,cwd}
  SECONDS=0
  builtin source "$__longhand_command"
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

/** The file for `$2` of {@link SHELL_SCRIPT}. */
export function stateFile(state: ShellState): string {
  return `${state.exports}\n__longhand_cwd=${quote(state.cwd)}\n`;
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
