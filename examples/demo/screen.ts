/** The terminal, calmly: a gutter with the time, a word for who acts, then what. Plain text where colours are not wanted. */
import { styleText } from 'node:util';

export type Tone = 'plain' | 'dim' | 'bold' | 'red' | 'green' | 'yellow' | 'cyan' | 'magenta';

export interface Screen {
  /** An empty line, a heading, and a rule below it. */
  heading(text: string): void;
  /** `who` in its column, `text` wrapped beside it. */
  line(who: string, text: string, tone?: Tone): void;
  /** Text below the column, as it is, cut at the edge. */
  detail(lines: string[], tone?: Tone): void;
  /** Text that arrives in pieces; the first piece opens the line. */
  flow(who: string, piece: string): void;
  /** Ends a flow, if one is open. */
  endFlow(): void;
  /** Copies text as it is. */
  block(text: string): void;
}

const GUTTER = 8;
const COLUMN = 11;
/** Columns in front of every text. */
export const INDENT = GUTTER + COLUMN;

/** What the demo needs of a stream: `process.stdout` is one. */
export interface Output {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

/** Colours on a terminal only, and not with NO_COLOR; `now` in ms, for the gutter. */
export function createScreen(output: Output, env: NodeJS.ProcessEnv = process.env, now = () => Date.now()): Screen {
  const colours = output.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
  const width = Math.min(Math.max(output.columns ?? 100, 60), 110);
  const begin = now();
  const paint = (tone: Tone, text: string) =>
    colours && tone !== 'plain' ? styleText(tone, text, { validateStream: false }) : text;
  /** Column of an open flow, else undefined. */
  let at: number | undefined;

  const gutter = () => paint('dim', `${((now() - begin) / 1000).toFixed(1).padStart(GUTTER - 3)}s  `);
  const endFlow = () => {
    if (at !== undefined) output.write('\n');
    at = undefined;
  };
  const screen: Screen = {
    heading(text) {
      endFlow();
      output.write(`\n  ${paint('bold', text)}\n  ${paint('dim', '─'.repeat(width - 4))}\n`);
    },
    line(who, text, tone = 'plain') {
      endFlow();
      const [first = '', ...rest] = wrap(text, width - INDENT);
      output.write(`${gutter()}${paint(tone === 'plain' ? 'cyan' : tone, who.padEnd(COLUMN))}${paint(tone, first)}\n`);
      for (const line of rest) output.write(`${' '.repeat(INDENT)}${paint(tone, line)}\n`);
    },
    detail(lines, tone = 'dim') {
      endFlow();
      for (const line of lines) output.write(`${' '.repeat(INDENT)}${paint(tone, cut(line, width - INDENT))}\n`);
    },
    flow(who, piece) {
      if (at === undefined) {
        output.write(`${gutter()}${paint('bold', who.padEnd(COLUMN))}`);
        at = 0;
      }
      for (const part of piece.split(/(\s+)/)) {
        if (part === '') continue;
        const blank = part.trim() === '';
        const newline = part.includes('\n') || (!blank && at > 0 && at + part.length > width - INDENT);
        if (newline) output.write(`\n${' '.repeat(INDENT)}`);
        if (newline) at = 0;
        if (blank && (newline || at === 0)) continue;
        output.write(blank ? ' ' : part);
        at += blank ? 1 : part.length;
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
  const plain = line.replaceAll('\t', '  ');
  return plain.length > width ? `${plain.slice(0, width - 1)}…` : plain;
}
