/** What makes or ends a session's sandbox happens one after the other. */
export type Turns = <T>(sessionId: string, act: () => Promise<T>) => Promise<T>;

export function createTurns(): Turns {
  const turns = new Map<string, Promise<unknown>>();
  return (sessionId, act) => {
    const result = (turns.get(sessionId) ?? Promise.resolve()).then(act, act);
    const settled: Promise<unknown> = result
      .catch(() => undefined)
      .finally(() => {
        if (turns.get(sessionId) === settled) turns.delete(sessionId);
      });
    turns.set(sessionId, settled);
    return result;
  };
}
