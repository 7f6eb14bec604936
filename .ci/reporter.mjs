/**
 * A reporter of vitest that writes what `count.mjs` reads: one JSON file, named by `LONGHAND_REPORT`. Unlike vitest's
 * own JSON it holds the words of failures outside of tests: a file that could not be loaded, a group's preparations.
 */
import { writeFileSync } from 'node:fs';

/**
 * @typedef {object} Outcome
 * @property {boolean} isTest - not something beside the tests, which only failures tell of.
 * @property {string} file
 * @property {string} title
 * @property {'passed' | 'failed' | 'skipped'} state
 * @property {string} words - of its failures, also of a first try.
 */

export default class {
  /** @param {readonly import('vitest/node').TestModule[]} modules @param {readonly { stack?: string, message: string }[]} unhandled */
  onTestRunEnd(modules, unhandled) {
    const { LONGHAND_REPORT } = process.env;
    if (!LONGHAND_REPORT) throw new Error('LONGHAND_REPORT names the file that the report is written to.');
    const words = (errors) => errors.map((error) => error.stack ?? error.message).join('\n');
    /** @type {Outcome[]} */
    const outcomes = [];
    for (const module of modules) {
      const file = module.moduleId;
      const beside = (title, errors) =>
        errors.length > 0 && outcomes.push({ isTest: false, file, title, state: 'failed', words: words(errors) });
      beside('the file itself', module.errors());
      for (const suite of module.children.allSuites()) beside(`${suite.fullName}, beside its tests`, suite.errors());
      for (const test of module.children.allTests()) {
        const { state, errors } = test.result();
        // One that was never reached is a failure of its file, which stands above.
        outcomes.push({
          ...{ isTest: true, file, title: test.fullName, words: words(errors ?? []) },
          state: state === 'pending' ? 'skipped' : state,
        });
      }
    }
    for (const error of unhandled) {
      outcomes.push({ isTest: false, file: '.', title: 'unhandled', state: 'failed', words: words([error]) });
    }
    writeFileSync(LONGHAND_REPORT, JSON.stringify(outcomes));
  }
}
