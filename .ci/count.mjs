/**
 * Prints what failed and the closing line of test runs from the files of `reporter.mjs`: `N passed, N failed[, N
 * skipped]`. Several runs are one: a test that one of them skipped counts as what another made of it. The failures are
 * repeated here since a log of an hour is often kept by its end alone; and so are tests that passed at the second try,
 * which are findings too.
 */
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';

/** What became of a test is the strongest word of all runs. */
const STRENGTH = { skipped: 0, passed: 1, failed: 2 };
const states = new Map();
const note = (name, state) => {
  const before = states.get(name);
  if (before === undefined || STRENGTH[state] > STRENGTH[before]) states.set(name, state);
};
const isNoise = (line) =>
  !line.trim() || line.includes('node_modules/vitest/') || line.endsWith('new Promise (<anonymous>)');
const tell = (what, { file, title, words }) => {
  const lines = words.split('\n').filter((line) => !isNoise(line));
  console.log([`${what} ${relative('.', file)}: ${title}`, ...lines].join('\n  '));
};

for (const path of process.argv.slice(2)) {
  let outcomes;
  try {
    outcomes = JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    tell('FAILED', { file: path, title: 'it was not written', words: 'The test run ended before its report.' });
    note(path, 'failed');
    continue;
  }
  const places = new Map();
  for (const outcome of outcomes) {
    const { isTest, file, title, state, words } = outcome;
    const place = (places.get(file) ?? 0) + (isTest ? 1 : 0);
    places.set(file, place);
    // By place: the reason for which a test is skipped stands in its name.
    note(`${file} ${isTest ? place : title}`, state);
    if (state === 'failed') tell('FAILED', outcome);
    else if (state === 'passed' && words) tell('PASSED AT THE SECOND TRY', outcome);
  }
}
const count = (state) => [...states.values()].filter((each) => each === state).length;
const skipped = count('skipped');
console.log(`${count('passed')} passed, ${count('failed')} failed${skipped ? `, ${skipped} skipped` : ''}`);
