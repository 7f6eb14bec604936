/**
 * What bash runs around a command. The command comes from a file, so an open quote or a stray brace is its own syntax
 * error and nothing else's. Exports and working directory arrive as a file of `declare` lines and leave through fd 3.
 */

/**
 * Arguments: the command's file and the state's file, which are there once the call's id comes as a line from fd 3.
 * `source` lets `exit`, `return` and `set -e` mean what they mean; the trap saves the state after an `exit`. `builtin`: a
 * command may define functions with these names. `SECONDS`: the shell may have waited for its command for hours.
 */
export const SHELL_SCRIPT = `\
IFS= read -r -u 3 __longhand_call || exit 0
exec 97>&3 3>&-
__longhand_save() {
  { builtin set +eux; } 2>/dev/null
  { builtin printf '%s\\0' "$PWD"; builtin export -p; } >&97 2>/dev/null
}
__longhand_command=$1 __longhand_state=$2
builtin set --
builtin source "$__longhand_state" 2>/dev/null
export LONGHAND_CALL=$__longhand_call
if ! builtin cd -- "$__longhand_cwd" 2>/dev/null; then
  builtin printf 'bash: the working directory %s is gone; this is /workspace\\n' "$__longhand_cwd" >&2
  builtin cd /workspace
fi
builtin unset OLDPWD __longhand_state __longhand_call __longhand_cwd
builtin trap __longhand_save EXIT
SECONDS=0
builtin source "$__longhand_command"
`;

/** Bytes of exports that are carried over; more than this is no environment that a program could be started with. */
const MAX_STATE_BYTES = 256 * 1024;

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

/** Reads what came through fd 3; undefined when the shell ended before it could say (killed, replaced by `exec`). */
export function parseState(bytes: Buffer): ShellState | undefined {
  const end = bytes.indexOf(0);
  if (end < 0 || bytes.length > MAX_STATE_BYTES) return undefined;
  return { cwd: bytes.toString('utf8', 0, end), exports: bytes.toString('utf8', end + 1) };
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
