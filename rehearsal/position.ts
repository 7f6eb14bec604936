/**
 * Finds the line of a script that comes next, from the conversation alone: the script is walked along with the replies
 * that the conversation holds, so a condition is judged on the same results as when it was first met.
 */
import type { Bookmark } from './bookmark.ts';
import { type Conversation, documentsOf, latestResults, type Reply, textOf, type UserTurn } from './conversation.ts';
import type { Block, Condition, Line, Script } from './script.ts';

export interface Position {
  kind: 'line' | 'summary' | 'fallback';
  /** The line to be said, for `line`. */
  line?: Line;
  /** The lines said so far in this turn, one per reply (undefined: the fallback said it). */
  said: (Line | undefined)[];
  /** Where to go on after a summary that is written now. */
  bookmark: Bookmark;
  /** The turn that is being answered. */
  turn: UserTurn;
  /** True for a reply that was paused and is asked to go on. */
  afterPause: boolean;
}

/** Wording of a request for a summary that takes a conversation's place. */
function soundsLikeSummary(text: string): boolean {
  return /\bsummar(y|i[sz]e)\b/i.test(text) && /\b(conversation|context window|transcript)\b/i.test(text);
}

export function locate(script: Script, conversation: Conversation): Position {
  const turns = [...conversation.turns];
  const last = turns.at(-1) ?? { blocks: [], replies: [] };
  const summary = asksForSummary(script, conversation, last);
  if (summary) {
    turns.pop();
    const rest = last.blocks.slice(0, -1);
    if (rest.length > 0) turns.push({ blocks: rest, replies: [] });
  }
  const walked = walk(script, { ...conversation, turns });
  if (!summary) return walked;
  return { ...walked, kind: 'summary', turn: last, afterPause: false };
}

/** Judged on the latest text block alone: a request may stand behind tool results or an unanswered message. */
function asksForSummary(script: Script, conversation: Conversation, turn: UserTurn): boolean {
  if (turn.replies.length > 0) return false;
  const ask = { blocks: turn.blocks.slice(-1), replies: [] };
  const { when } = script.summary;
  return when ? holds(when, ask, conversation) : soundsLikeSummary(textOf(ask.blocks));
}

function walk(script: Script, conversation: Conversation): Position {
  let ordered = conversation.bookmark?.ordered ?? 0;
  let index = -1;
  let from = 0;
  for (const [i, turn] of conversation.turns.entries()) {
    const matched = findByCondition(script, turn, conversation);
    const resumed = i === 0 ? conversation.bookmark : undefined;
    from = 0;
    if (matched !== -1) index = matched;
    else if (resumed && !(turn.blocks.length > 0 && finished(script, resumed))) {
      index = resumed.turn;
      from = resumed.line;
    } else index = script.order[ordered++] ?? -1;
  }
  const turn = conversation.turns.at(-1) ?? { blocks: [], replies: [] };
  return walkTurn(script, conversation, turn, { turn: index, line: from, ordered });
}

function finished(script: Script, bookmark: Bookmark): boolean {
  return bookmark.line >= (script.turns[bookmark.turn]?.lines.length ?? 0);
}

function walkTurn(script: Script, conversation: Conversation, turn: UserTurn, start: Bookmark): Position {
  const lines = script.turns[start.turn]?.lines ?? [];
  const said: (Line | undefined)[] = [];
  const replies: Reply[] = [];
  let next = start.line;
  let before: UserTurn = { blocks: turn.blocks, replies: [] };
  const take = (reply: Reply): Line | undefined => {
    const at = nextLine(lines, next, before, conversation);
    said.push(lines[at]);
    replies.push(reply);
    before = { blocks: turn.blocks, replies: [reply] };
    next = after(lines, at, before, conversation);
    return lines[at];
  };
  for (const reply of turn.replies) {
    let rest = reply;
    for (let line = take(rest); line?.step.stop === 'pause_turn'; line = take(rest)) {
      rest = afterPause(rest, line);
      if (rest.blocks.length === 0) break;
    }
  }
  const line = lines[nextLine(lines, next, before, conversation)];
  const last = said.at(-1);
  return {
    kind: line ? 'line' : 'fallback',
    ...(line && { line }),
    said,
    bookmark: { ...start, line: last && endsTurn(last) ? lines.length : next },
    turn: { blocks: turn.blocks, replies },
    afterPause: last?.step.stop === 'pause_turn',
  };
}

/** Clients may send a paused reply and its continuation as one message: what is left of it behind the paused line. */
function afterPause(reply: Reply, line: Line): Reply {
  const spoken = line.step.blocks.reduce((sum, block) => sum + countSpoken(block), 0);
  let seen = 0;
  const cut = reply.blocks.findIndex((block) => {
    if (block.type === 'text' || block.type === 'tool_use') seen++;
    return seen > spoken;
  });
  return cut === -1 ? { blocks: [], results: [] } : { blocks: reply.blocks.slice(cut), results: reply.results };
}

function countSpoken(block: Block): number {
  if (block.type === 'tool_use') return block.times;
  return block.type === 'text' ? 1 : 0;
}

function endsTurn({ step }: Line): boolean {
  return step.stop !== 'pause_turn' && !step.blocks.some((block) => block.type === 'tool_use');
}

/** The first line from `from` on whose condition holds. */
function nextLine(lines: Line[], from: number, turn: UserTurn, conversation: Conversation): number {
  let at = from;
  for (; at < lines.length; at++) {
    const when = lines[at]?.step.when;
    if (!when || holds(when, turn, conversation)) break;
  }
  return at;
}

/** Where the script goes on after the line `at` was said and its results came back. */
function after(lines: Line[], at: number, turn: UserTurn, conversation: Conversation): number {
  const left = lines[at]?.leave.filter((exit) => holds(exit.until, turn, conversation)) ?? [];
  return Math.max(at + 1, ...left.map((exit) => exit.to));
}

/** The turn whose condition the user's words meet; the latest words first, as messages may have been folded together. */
function findByCondition(script: Script, turn: UserTurn, conversation: Conversation): number {
  for (const block of turn.blocks.toReversed()) {
    const alone = { blocks: [block], replies: [] };
    const found = script.turns.findIndex(({ when }) => when && holds(when, alone, conversation));
    if (found !== -1) return found;
  }
  return -1;
}

export function holds(condition: Condition, turn: UserTurn, conversation: Conversation): boolean {
  const results = latestResults(turn);
  if (condition.user && !condition.user.test(textOf(turn.blocks))) return false;
  if (condition.document && !condition.document.test(documentsOf(conversation))) return false;
  if (condition.system && !condition.system.test(conversation.system)) return false;
  if (condition.error !== undefined && results.some((result) => result.is_error === true) !== condition.error)
    return false;
  return !condition.result || condition.result.test(results.map((result) => textOf(result.content)).join('\n'));
}
