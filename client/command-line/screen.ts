/** The terminal, calmly: a gutter with the time, a word for who acts, then what. Plain text where colours are not wanted. */
import { styleText } from 'node:util';
import { printable } from './printable.ts';

export type Tone = 'plain' | 'dim' | 'bold' | 'red' | 'green' | 'yellow' | 'cyan' | 'magenta';

export interface Screen {
  /** An empty line, a heading, and a rule below it. */
  heading(text: string): void;
  /** `who` in its column, `text` wrapped beside it. */
  line(who: string, text: string, tone?: Tone): void;
  /** Text below the column, as it is; on a terminal cut at its edge. */
  detail(lines: string[], tone?: Tone): void;
  /** Text that arrives in pieces; the first piece opens the line. */
  flow(who: string, piece: string): void;
  /** Ends a flow, if one is open. */
  endFlow(): void;
  /** Copies text as it is. */
  block(text: string): void;
}

const GUTTER = 10;
const COLUMN = 11;
/** Columns in front of every text. */
export const INDENT = GUTTER + COLUMN;

/** What is needed of a stream: `process.stdout` is one. */
export interface Output {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

/** Paints on a terminal only, and not with NO_COLOR. */
export function painter(output: Output, env: NodeJS.ProcessEnv = process.env): (tone: Tone, text: string) => string {
  const colours = output.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
  return (tone, text) => (colours && tone !== 'plain' ? styleText(tone, text, { validateStream: false }) : text);
}

/** Seconds since now, as the gutter's text. */
export function elapsed(now = () => Date.now()): () => string {
  const begin = now();
  return () => `${((now() - begin) / 1000).toFixed(1)}s`;
}

/**
 * What is shown comes from models and sandboxes: control characters are shown as such, and never obeyed.
 * @param clock - the gutter's text, at most 8 characters.
 */
export function createScreen(
  output: Output,
  env: NodeJS.ProcessEnv = process.env,
  clock: () => string = elapsed(),
): Screen {
  const width = Math.min(Math.max(output.columns ?? 100, 60), 110);
  const paint = painter(output, env);
  /** Column of an open flow, else undefined. */
  let at: number | undefined;
  /** White space at the end of a flow; it is written when something follows. */
  let gap = '';

  const gutter = () => paint('dim', `${clock().padStart(GUTTER - 2)}  `);
  const endFlow = () => {
    if (at !== undefined) output.write('\n');
    at = undefined;
    gap = '';
  };
  const screen: Screen = {
    heading(text) {
      endFlow();
      output.write(`\n  ${paint('bold', text)}\n  ${paint('dim', '─'.repeat(width - 4))}\n`);
    },
    line(who, text, tone = 'plain') {
      endFlow();
      const [first = '', ...rest] = wrap(printable(text), width - INDENT);
      output.write(`${gutter()}${paint(tone === 'plain' ? 'cyan' : tone, who.padEnd(COLUMN))}${paint(tone, first)}\n`);
      for (const line of rest) output.write(`${' '.repeat(INDENT)}${paint(tone, line)}\n`);
    },
    detail(lines, tone = 'dim') {
      endFlow();
      for (const line of lines)
        output.write(
          `${' '.repeat(INDENT)}${paint(tone, cut(line, output.columns ? width - INDENT : Number.POSITIVE_INFINITY))}\n`,
        );
    },
    flow(who, piece) {
      if (at === undefined) {
        output.write(`${gutter()}${paint('bold', who.padEnd(COLUMN))}`);
        at = 0;
      }
      for (const part of printable(piece).replaceAll('\t', '  ').split(/(\s+)/)) {
        if (part.trim() === '') {
          gap += part;
          continue;
        }
        const lines = gap.split('\n');
        const broken = lines.length > 1;
        const full = at > 0 && at + part.length + gap.length > width - INDENT && (gap !== '' || at >= width - INDENT);
        if (broken || full) {
          // A blank line stays one, and indentation stays what it was.
          const indentation = broken ? (lines.at(-1) ?? '') : '';
          output.write(`${lines.length > 2 ? '\n\n' : '\n'}${' '.repeat(INDENT)}${indentation}`);
          at = indentation.length;
        } else {
          output.write(gap);
          at += gap.length;
        }
        output.write(part);
        at += part.length;
        gap = '';
      }
    },
    endFlow,
    block(text) {
      endFlow();
      output.write(text.endsWith('\n') ? text : `${text}\n`);
    },
  };
  return screen;
}

/** Cuts a text into lines of at most `width` at its spaces. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const paragraph of text.split('\n')) {
    let line = '';
    for (const word of paragraph.split(' ')) {
      if (line !== '' && line.length + word.length + 1 > width) {
        lines.push(line);
        line = word;
      } else line += line === '' ? word : ` ${word}`;
    }
    lines.push(line);
  }
  return lines;
}

function cut(line: string, width: number): string {
  const plain = printable(line.replaceAll('\t', '  '));
  return plain.length > width ? `${plain.slice(0, width - 1)}…` : plain;
}
