/**
 * Prints what failed and the closing line of test runs from vitest's JSON: `N passed, N failed[, N skipped]`. Several
 * runs are one: a test that one of them skipped counts as what another made of it. The failures are repeated here since
 * a log of an hour is often kept by its end alone; and so are tests that passed at the second try, which are findings too.
 */
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';

/** What became of a test is the strongest word of all runs. */
const STRENGTH = { skipped: 0, passed: 1, failed: 2 };
const outcomes = new Map();
const tell = (what, file, title, message) =>
  console.log(
    [
      `${what} ${relative('.', file)}: ${title}`,
      ...message
        .split('\n')
        .filter(
          (line) =>
            line.trim() && !line.includes('node_modules/vitest/') && !line.endsWith('new Promise (<anonymous>)'),
        ),
    ].join('\n  '),
  );
const note = (name, outcome) => {
  const before = outcomes.get(name);
  if (before === undefined || STRENGTH[outcome] > STRENGTH[before]) outcomes.set(name, outcome);
};

for (const file of process.argv.slice(2)) {
  let run;
  try {
    run = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    note(`${file} was not written`, 'failed');
    continue;
  }
  for (const { name, status, message, assertionResults } of run.testResults) {
    const failed = assertionResults.some((test) => test.status === 'failed');
    // A file that could not be loaded, or whose preparations failed, holds no test that failed.
    if (status === 'failed' && !failed) {
      note(name, 'failed');
      tell('FAILED', name, 'the file itself', message ?? '');
    }
    for (const [index, test] of assertionResults.entries()) {
      // By place: the reason for which a test is skipped stands in its name.
      note(`${name} ${index}`, test.status === 'passed' || test.status === 'failed' ? test.status : 'skipped');
      const words = test.failureMessages.join('\n');
      if (test.status === 'failed') tell('FAILED', name, test.fullName, words);
      else if (words) tell('PASSED AT THE SECOND TRY', name, test.fullName, words);
    }
  }
}
const count = (outcome) => [...outcomes.values()].filter((each) => each === outcome).length;
const skipped = count('skipped');
console.log(`${count('passed')} passed, ${count('failed')} failed${skipped ? `, ${skipped} skipped` : ''}`);
