import { describe, expect, test } from 'vitest';
import { createPromptCache } from './cache.ts';
import { ScriptError } from './errors.ts';
import { loadYaml } from './load.ts';

function problems(yaml: string): string[] {
  try {
    loadYaml(yaml);
  } catch (error) {
    if (error instanceof ScriptError) return error.problems;
    throw error;
  }
  return [];
}

describe('a file that cannot be played names every problem with its path', () => {
  const turn = (step: string) => `rehearsal: x\nturns:\n  - steps:\n      - ${step}`;
  test.each([
    ['no title', 'turns: []', 'rehearsal: Invalid input'],
    ['a misspelt key', turn('{ txet: hi }'), 'turns.0.steps.0: Unrecognized key: "txet"'],
    ['an empty step', turn('{}'), 'turns.0.steps.0: says nothing'],
    ['a wrong type', turn('{ text: 5 }'), 'turns.0.steps.0.text: Invalid input'],
    [
      'a misspelt value',
      turn('{ text: "{{reslut.text}}" }'),
      'turns.0.steps.0.text: {{reslut.text}}: unknown name "reslut"',
    ],
    ['an unknown filter', turn('{ text: "{{result.text | upper}}" }'), 'unknown filter "upper"'],
    ['braces left open', turn('{ text: "{{result" }'), '{{ has no }}'],
    [
      'a value inside a tool',
      turn('{ tools: [{ write: { content: ["{{nope}}"] } }] }'),
      'turns.0.steps.0.tools.0.content.0: {{nope}}',
    ],
    ['a bad regular expression', turn('{ when: /(/, text: x }'), 'turns.0.steps.0.when: Invalid regular expression'],
    [
      'two tools in one',
      turn('{ tools: [{ bash: ls, read: {} }] }'),
      'turns.0.steps.0.tools.0: needs exactly one tool name',
    ],
    ['until without repeat', turn('{ text: x, until: done }'), 'turns.0.steps.0.until: needs a repeat'],
    ['a loop that speaks', turn('{ repeat: 2, text: x, steps: [{ text: y }] }'), 'a loop of steps says nothing itself'],
    [
      'repeat and when on a turn',
      'rehearsal: x\nturns:\n  - { when: a, repeat: 2, steps: [{ text: x }] }',
      'turns.0.repeat: a turn with a condition',
    ],
    ['a fault without sense', turn('{ text: x, fail: { status: 200 } }'), 'turns.0.steps.0.fail'],
    ['broken YAML', 'rehearsal: [x', 'at line 1'],
  ])('%s', (_, yaml, expected) => {
    expect(problems(yaml).join('\n')).toContain(expected);
  });

  test('several at once', () => {
    expect(problems('rehearsal: x\nturns:\n  - steps: [{ text: "{{a}}" }, { text: "{{b}}" }]')).toHaveLength(2);
  });

  test('a loop that would never fit is refused, not written out', () => {
    const yaml = 'rehearsal: x\nturns:\n  - steps: [{ repeat: 100000, steps: [{ repeat: 100000, text: x }] }]';
    expect(problems(yaml).join()).toContain('100000 are the most');
  });
});

describe('usage shows the prompt cache', () => {
  const long = 'word '.repeat(1_000);
  const mark = { cache_control: { type: 'ephemeral' as const } };
  const request = (...parts: { text: string; mark?: boolean }[]) => ({
    model: 'm',
    max_tokens: 1,
    messages: [
      {
        role: 'user' as const,
        content: parts.map((it) => ({ type: 'text' as const, text: it.text, ...(it.mark && mark) })),
      },
    ],
  });

  test('a prefix is written once and read afterwards, for five minutes after its last use', () => {
    const cache = createPromptCache();
    const first = request({ text: long, mark: true }, { text: 'a' });
    const next = request({ text: long }, { text: 'a', mark: true });
    expect(cache.count(first, 0)).toMatchObject({
      input_tokens: 1,
      cache_creation_input_tokens: 1_250,
      cache_read_input_tokens: 0,
    });
    expect(cache.count(next, 299_999)).toMatchObject({
      input_tokens: 0,
      cache_creation_input_tokens: 1,
      cache_read_input_tokens: 1_250,
    });
    expect(cache.count(first, 300_001)).toMatchObject({
      cache_creation_input_tokens: 1_250,
      cache_read_input_tokens: 0,
    });
  });

  test('a change before the breakpoint, or too short a prefix, is no hit', () => {
    const cache = createPromptCache();
    cache.count(request({ text: long, mark: true }), 0);
    expect(cache.count(request({ text: `x${long}`, mark: true }), 1)).toMatchObject({ cache_read_input_tokens: 0 });
    expect(cache.count(request({ text: 'short', mark: true }), 1)).toMatchObject({
      input_tokens: 2,
      cache_creation_input_tokens: 0,
    });
  });
});
