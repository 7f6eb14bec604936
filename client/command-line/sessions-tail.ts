/** `longhand sessions tail` */
import { readArguments } from './arguments.ts';
import { EXIT, type Subcommand } from './context.ts';
import { openEvents } from './event-source.ts';
import { findSessionId } from './find.ts';
import { eventPrinter, newestEvent, showUntilQuiet, sourceOptions } from './follow.ts';
import { createQuiet } from './quiet.ts';

const HELP = `Usage: longhand sessions tail SESSION [options]

Shows a session's history and then what happens, until the session has ended or Ctrl-C. A lost connection is made again,
without a gap. SESSION is an id, or the beginning or end of one.

  --until-idle   end when the session is idle and no message waits; exit code 4 when it waits for an answer of yours
  --new          leave the history out
  --json         one event a line, as the stream sends them (an event of yours comes again when it is processed)`;

export const sessionsTail: Subcommand = {
  help: HELP,
  async run(args, context) {
    const { values, positionals } = readArguments(
      args,
      HELP,
      {
        'until-idle': { type: 'boolean', default: false },
        new: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
      1,
    );
    const api = await context.api();
    const id = await findSessionId(api, positionals[0] ?? '');
    const show = eventPrinter(context, values.json);
    const options = sourceOptions(context, values.json);
    const newest = values.new || values['until-idle'] ? await newestEvent(api, id) : undefined;
    if (!values['until-idle']) {
      const from = values.new ? ('now' as const) : ('start' as const);
      for await (const event of await openEvents(api, id, { ...options, from, newest })) show(event);
      return EXIT.done;
    }
    // A session that has done nothing yet has no event that would tell.
    if (newest === undefined) return EXIT.done;
    let hidden = values.new;
    const events = await openEvents(api, id, { ...options, from: 'start' });
    const shown = (event: Parameters<typeof show>[0]) => {
      if (!hidden) show(event);
      else if ('id' in event && event.id === newest) hidden = false;
    };
    return await showUntilQuiet(context, events, shown, createQuiet([newest], false));
  },
};
