/**
 * Prints what failed and the closing line of test runs from the files of `reporter.mjs`: `N passed, N failed[, N
 * skipped]`. Several runs are one: a test that one of them skipped counts as what another made of it. The failures are
 * repeated here since a log of an hour is often kept by its end alone; and so is what passed at the second try, which is
 * a finding too.
 *
 *     node .ci/count.mjs <name>.json...        where there is a <name>-again.json, a second run of some files, that goes
 *     node .ci/count.mjs --failed <name>.json  only names the files that failed, if they are few
 */
import { existsSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';

/** More at once are no accident. */
const FEW = 3;
/** What became of a test is the strongest word of all runs. */
const STRENGTH = { skipped: 0, passed: 1, failed: 2 };

/** @returns {import('./reporter.mjs').Outcome[]} */
function read(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    const words = 'The test run ended before its report.';
    return [{ isTest: false, file: path, title: 'it was not written', state: 'failed', words }];
  }
}

const isNoise = (line) =>
  !line.trim() || line.includes('node_modules/vitest/') || line.endsWith('new Promise (<anonymous>)');
function tell(what, { file, title, words }) {
  const lines = words.split('\n').filter((line) => !isNoise(line));
  console.log([`${what} ${relative('.', file)}: ${title}`, ...lines].join('\n  '));
}

const args = process.argv.slice(2);
if (args[0] === '--failed') {
  const failed = read(args[1]).filter(({ state }) => state === 'failed');
  const files = [...new Set(failed.map(({ file }) => relative('.', file)))];
  // Without a file there is nothing to run again.
  if (files.length <= FEW && files.every((file) => file.endsWith('.test.ts'))) console.log(files.join(' '));
} else {
  const states = new Map();
  for (const path of args) {
    const second = path.replace(/\.json$/, '-again.json');
    const again = existsSync(second) ? read(second) : [];
    count(read(path), new Set(again.map(({ file }) => file)), states);
    count(again, new Set(), states);
  }
  const number = (state) => [...states.values()].filter((each) => each === state).length;
  const skipped = number('skipped');
  console.log(`${number('passed')} passed, ${number('failed')} failed${skipped ? `, ${skipped} skipped` : ''}`);
}

/** @param {Set<string>} repeated - files of which the second run has the last word. */
function count(outcomes, repeated, states) {
  const places = new Map();
  for (const outcome of outcomes) {
    const { isTest, file, title, state, words } = outcome;
    if (repeated.has(file)) {
      if (state === 'failed') tell('FAILED AT THE FIRST TRY', outcome);
      continue;
    }
    const place = (places.get(file) ?? 0) + (isTest ? 1 : 0);
    places.set(file, place);
    // By place: the reason for which a test is skipped stands in its name.
    const name = `${file} ${isTest ? place : title}`;
    const before = states.get(name);
    if (before === undefined || STRENGTH[state] > STRENGTH[before]) states.set(name, state);
    if (state === 'failed') tell('FAILED', outcome);
    else if (state === 'passed' && words) tell('PASSED AT THE SECOND TRY', outcome);
  }
}
