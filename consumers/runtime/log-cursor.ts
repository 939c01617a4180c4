import { z } from 'zod';
import type { LogCursor } from '../../db/queries/event-log.ts';

const SNAPSHOT = /^[0-9]+:[0-9]+:[0-9,]*$/;
const notation = z.tuple([
  z.string().regex(SNAPSHOT),
  z.string().min(1),
  z.string().regex(SNAPSHOT).or(z.literal('')),
  z.string(),
  z.coerce.number().int().min(0),
]);

/** A place in the event log as `consumer_offsets` keeps it: `base|base_taken_at|target|target_taken_at|after`. */
export function formatLogCursor({ base, baseTakenAt, target, targetTakenAt, after }: LogCursor): string {
  return [base, baseTakenAt, target ?? '', targetTakenAt ?? '', after].join('|');
}

/** The inverse; null for what is no such notation, as the offsets of another transport are not. */
export function parseLogCursor(text: string): LogCursor | null {
  const parsed = notation.safeParse(text.split('|'));
  if (!parsed.success) return null;
  const [base, baseTakenAt, target, targetTakenAt, after] = parsed.data;
  return { base, baseTakenAt, target: target === '' ? null : target, targetTakenAt: targetTakenAt === '' ? null : targetTakenAt, after };
}
