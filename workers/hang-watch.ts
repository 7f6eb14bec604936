/**
 * A worker that its Temporal server refuses for good (its namespace is gone, its key was revoked) stops taking work, and was
 * seen never to end. Whoever started it must see it end, to start it again.
 */
import type { RunningPart } from './process-command.ts';

/** A worker that ends in good order hands over what it does within 30 s. */
const ENDS_WITHIN_MS = 40_000;
const LOOK_MS = 5_000;

export interface HangWatch {
  /** Rejects, in words for the operator, when the part takes no work for longer than an end takes. */
  hung: Promise<never>;
  stop(): void;
}

export function watchForHang(
  { takesWork = () => true }: Pick<RunningPart, 'takesWork'>,
  { endsWithinMs = ENDS_WITHIN_MS, lookMs = LOOK_MS } = {},
): HangWatch {
  let timer: NodeJS.Timeout | undefined;
  const hung = new Promise<never>((_resolve, reject) => {
    let since: number | undefined;
    timer = setInterval(() => {
      if (takesWork()) since = undefined;
      else since ??= Date.now();
      if (since === undefined || Date.now() - since < endsWithinMs) return;
      clearInterval(timer);
      reject(
        new Error(
          'It takes no work any more, and does not end by itself: its Temporal server refuses it. The lines above say why; ' +
            '`longhand doctor` looks at what it needs.',
        ),
      );
    }, lookMs);
    timer.unref();
  });
  hung.catch(() => undefined);
  return { hung, stop: () => clearInterval(timer) };
}
