/** What a session's shell lends to its parts: the sandbox, the calls, the model requests, the grading, the outputs. */
import type { StepInput } from './reducer/step.ts';
import type { SessionState } from './state.ts';

export interface SessionHost {
  state(): SessionState;
  dispatch(event: StepInput): void;
  /** Activities are out; and back. A run is continued as new only when none is. */
  begin(): void;
  end(): void;
  /** Runs beside everything else; what it throws ends the workflow in the open instead of being lost. */
  background(work: () => Promise<void>): void;
}
