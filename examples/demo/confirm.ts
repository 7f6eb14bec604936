/** Asks the person whether a tool may run; answers itself where nobody sits at a terminal. */
import { createInterface } from 'node:readline/promises';
import { INDENT, type Output, type Screen } from '../../client/command-line/screen.ts';

export type Input = NodeJS.ReadableStream & { isTTY?: boolean };
export type Answer = { result: 'allow' } | { result: 'deny'; deny_message: string };

export function confirmFrom(screen: Screen, output: Output, input: Input): (what: string) => Promise<Answer> {
  return async (what) => {
    screen.line('asks', `May it ${what}?`, 'yellow');
    if (output.isTTY !== true || input.isTTY !== true) {
      screen.detail(['yes (nobody at a terminal: the demo answers itself)']);
      return { result: 'allow' };
    }
    const readline = createInterface({ input });
    try {
      output.write(`${' '.repeat(INDENT)}[Y/n] `);
      const answer = await readline.question('');
      if (!/^\s*n/i.test(answer)) return { result: 'allow' };
      return { result: 'deny', deny_message: 'The person at the terminal said no.' };
    } finally {
      readline.close();
    }
  };
}
