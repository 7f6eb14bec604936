/** Gives back what a start leaves behind. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** By then what a start sets off has ended too. */
const AFTER_MS = 5_000;

/**
 * Sources of modules, code that ran once, schemas and bundles on their way: half of a part's memory, which V8 keeps until it
 * needs room or has been at rest for a while, and a part that polls may never quite rest. One collection in this thread,
 * which takes 50 to 100 ms.
 */
export function collectAfterStart(): void {
  setTimeout(() => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as (how: object) => void;
    setFlagsFromString('--no-expose-gc');
    // Another flavor keeps the room for what comes next.
    collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  }, AFTER_MS).unref();
}
