import { z } from 'zod';
import { counterSchema, idSchema, timeSchema } from './primitives.ts';

/** What an export has, in this order: users come last, so that everybody whom a line names is among them. */
export const EXPORT_SECTIONS = ['channel', 'member', 'message', 'revision', 'reaction', 'pin', 'file', 'user'] as const;
export type ExportSection = (typeof EXPORT_SECTIONS)[number];

const countsSchema = z.strictObject({
  channel: counterSchema,
  member: counterSchema,
  message: counterSchema,
  revision: counterSchema,
  reaction: counterSchema,
  pin: counterSchema,
  file: counterSchema,
  user: counterSchema,
});
/** Lines of each section so far. */
export type ExportCounts = z.infer<typeof countsSchema>;
export const NO_COUNTS: ExportCounts = { channel: 0, member: 0, message: 0, revision: 0, reaction: 0, pin: 0, file: 0, user: 0 };

/** Of no page yet; then of each page the SHA-256 of the hash before it (64 hexadecimal digits) and its lines with their ends, checkpoints left out. */
export const NO_EXPORT_HASH = '0'.repeat(64);
const hashSchema = z.string().regex(/^[0-9a-f]{64}$/);

/** A line of an export (JSONL). `data` is what the section has; `docs/admin.md` describes each. */
export const exportLineSchema = z.discriminatedUnion('section', [
  z.strictObject({ section: z.literal('export'), format: z.literal('colink.export.v1'), export_id: idSchema, started_at: timeSchema, include_private: z.boolean() }),
  ...EXPORT_SECTIONS.map((section) => z.strictObject({ section: z.literal(section), data: z.record(z.string(), z.unknown()) })),
  /** Ends a page. What follows a checkpoint is had with its cursor as `after`, once. */
  z.strictObject({ section: z.literal('checkpoint'), cursor: z.string(), counts: countsSchema, sha256: hashSchema }),
  z.strictObject({ section: z.literal('end'), counts: countsSchema, sha256: hashSchema }),
]);

const ID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const [byId, byTwoIds] = [new RegExp(`^${ID}$`), new RegExp(`^${ID} ${ID}$`)];
/** By what the rows of each section are known. */
const KEYS: Readonly<Record<ExportSection, RegExp>> = {
  channel: byId,
  member: byTwoIds,
  message: byId,
  revision: new RegExp(`^${ID} \\d{1,9}$`),
  reaction: new RegExp(`^${ID} [^\\s\\0]+ ${ID}$`),
  pin: byId,
  file: byId,
  user: byId,
};

/** What a cursor stands for. Anybody can write one, and Postgres is asked for none but a key. */
export const exportPlaceSchema = z
  .strictObject({
    export_id: idSchema,
    section: z.int().min(0).max(EXPORT_SECTIONS.length - 1),
    /** The key of the last row of the section that was looked at; empty before the first. */
    after: z.string().max(200),
    counts: countsSchema,
    sha256: hashSchema,
  })
  .refine(({ section, after }) => {
    const name = EXPORT_SECTIONS[section];
    return after === '' || (name !== undefined && KEYS[name].test(after));
  });
export type ExportPlace = z.infer<typeof exportPlaceSchema>;
