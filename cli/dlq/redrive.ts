import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { type ActBy, countOutcomes, countSelected, previewRedrive, redriveLetters, type RedrivePlace } from '../../db/queries/dead-letter-acts.ts';
import type { Selection } from '../../db/queries/dead-letter-selection.ts';
import type { Act, Desk } from './desk.ts';
import { actFlags, filterFlags, readFlags, readSelection, wordSchema } from './flags.ts';
import { type RedriveReport, runRedrive, type RedrivePorts } from './redrive-run.ts';

const MOST_NAMED = 20;

const redriveFlags = {
  ...filterFlags,
  ...actFlags,
  all: z.boolean().default(false),
  dryRun: z.boolean().default(false),
  limit: z.int().positive().default(Infinity),
  rate: wordSchema
    .transform((text) => Number(text.replace(/\/s$/, '')))
    .pipe(z.number('--rate is letters a second, such as 10/s').positive())
    .default(Infinity),
  canary: z.int().positive().default(0),
  wait: wordSchema
    .transform((text) => Number(text.replace(/s$/, '')))
    .pipe(z.number('--wait is seconds').min(0).max(3_600))
    .default(30),
  reason: wordSchema.nullable().default(null),
};

/** `colink dlq redrive`: exit code 0 when all that was handed over succeeded, 1 when some failed again, 2 when some still wait, 130 when interrupted. */
export const redrive: Act = async (desk, ids, flags) => {
  const options = readFlags(redriveFlags, flags);
  const selection = readSelection(ids, options);
  if (options.dryRun) return preview(desk, selection, options.limit);
  const plan = { limit: options.limit, rate: options.rate, canary: options.canary, waitMs: options.wait * 1_000 };
  const report = await runRedrive(plan, portsOf(desk, selection, { actor: options.by, reason: options.reason }));
  tell(desk, report);
  await tellRest(desk, selection);
  return exitCode(report);
};

async function preview({ connection: { db }, print, note }: Desk, selection: Selection, limit: number): Promise<number> {
  const { pending, unfit } = await countSelected(db, selection);
  const { ids } = await previewRedrive(db, { selection, after: null, limit: Math.min(MOST_NAMED, limit) });
  for (const id of ids) await print(id);
  note(`${Math.min(limit, pending - unfit)} would be redriven, in this order${pending - unfit > ids.length ? ' and on' : ''}; ${unfit} cannot be as they are`);
  return 0;
}

function portsOf({ connection: { db }, note, signal }: Desk, selection: Selection, by: ActBy): RedrivePorts {
  let after: RedrivePlace | null = null;
  return {
    redrive: async (limit) => {
      const moved = await db.transaction((tx) => redriveLetters(tx, { selection, after, limit }, by));
      after = moved.last ?? after;
      return moved.ids;
    },
    outcomes: (ids) => countOutcomes(db, ids),
    pause: (milliseconds) => delay(milliseconds, undefined, { signal }).catch(() => {}),
    now: () => performance.now(),
    onProgress: (handedOver) => note(`${handedOver} handed over`),
    signal,
  };
}

function tell({ note }: Desk, { end, succeeded, failed, waiting }: RedriveReport): void {
  if (end === 'canary_failed') note('the canary failed: the rest was left alone');
  if (end === 'canary_waits') note('nobody tried the canary in time: does the group run? The rest was left alone');
  if (end === 'interrupted') note('interrupted: the same command goes on from here');
  note(`${succeeded} redriven, ${failed} failed again, ${waiting} wait for their group`);
}

async function tellRest({ connection: { db }, note }: Desk, selection: Selection): Promise<void> {
  const { pending, unfit } = await countSelected(db, selection);
  if (pending > 0) note(`${pending} of the selection are pending${unfit > 0 ? `; ${unfit} of them cannot be redriven as they are: show, edit or discard them` : ''}`);
}

function exitCode({ end, failed, waiting }: RedriveReport): number {
  if (end === 'interrupted') return 130;
  if (failed > 0) return 1;
  return waiting > 0 ? 2 : 0;
}
