import { z } from 'zod';
import { countSelected, discardLetters } from '../../db/queries/dead-letter-acts.ts';
import { MAX_ACT_LETTERS } from '../../protocol/dead-letters.ts';
import type { Act } from './desk.ts';
import { actFlags, filterFlags, readFlags, readSelection, wordSchema } from './flags.ts';

const discardFlags = {
  ...filterFlags,
  ...actFlags,
  all: z.boolean().default(false),
  dryRun: z.boolean().default(false),
  limit: z.int().positive().default(Infinity),
  reason: wordSchema.pipe(z.string().trim().min(1)),
};

/** `colink dlq discard`: gives pending letters up for good. Interrupted, it ends between two transactions of 100. */
export const discard: Act = async ({ connection: { db }, note, signal }, ids, flags) => {
  const options = readFlags(discardFlags, flags);
  const selection = readSelection(ids, options);
  const by = { actor: options.by, reason: options.reason };
  if (options.dryRun) {
    note(`${Math.min(options.limit, (await countSelected(db, selection)).pending)} would be discarded`);
    return 0;
  }
  let discarded = 0;
  while (discarded < options.limit && !signal.aborted) {
    const gone = await db.transaction((tx) => discardLetters(tx, selection, Math.min(MAX_ACT_LETTERS, options.limit - discarded), by));
    if (gone.length === 0) break;
    discarded += gone.length;
  }
  note(`${discarded} discarded, ${(await countSelected(db, selection)).pending} of the selection are pending`);
  return signal.aborted ? 130 : 0;
};
