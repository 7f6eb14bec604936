/** Prints the closing line of a test run from vitest's JSON: `N passed, N failed[, N skipped]`. */
import { readFileSync } from 'node:fs';

let run;
try {
  run = JSON.parse(readFileSync(process.argv[2], 'utf8'));
} catch {
  run = { numPassedTests: 0, numFailedTests: 1, numPendingTests: 0, testResults: [] };
}
// A file that could not be loaded, or whose preparations failed, holds no test that failed.
const broken = run.testResults.filter(
  (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
).length;
const skipped = (run.numPendingTests ?? 0) + (run.numTodoTests ?? 0);
console.log(
  `${run.numPassedTests} passed, ${run.numFailedTests + broken} failed${skipped ? `, ${skipped} skipped` : ''}`,
);
