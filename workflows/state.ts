/** What a session's workflow carries from step to step. */
export interface SessionState {
  v: 1;
}
