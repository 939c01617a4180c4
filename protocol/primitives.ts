import { z } from 'zod';
import { FIRST_MOMENT_MS, LAST_MOMENT_MS, MAX_CHANNEL_NAME, MAX_CLIENT_MSG_ID, MAX_EMOJI, MAX_MESSAGE_FILES, MAX_PURPOSE, MAX_TEXT, MAX_TOPIC } from './limits.ts';

/** Ids are UUIDs in lower case; those Colink mints are UUIDv7. */
export const idSchema = z
  .string()
  .regex(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/, 'must be a UUID in lower case');

/** Less than every UUIDv7 of this moment, and greater than every one of an earlier moment; epoch milliseconds, below 2^48 (RFC 9562, section 5.7). */
export function firstIdOf(ms: number): string {
  const hex = ms.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
}

/** The moment that a UUIDv7 bears, in epoch milliseconds. */
export const timeOfId = (id: string): number => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);

/** RFC 3339, UTC, milliseconds. */
export const timeSchema = z.iso.datetime({ precision: 3 });

/**
 * A time that people give: RFC 3339 with any offset. It becomes a `timeSchema` that Postgres takes, which knows neither the year 0 nor offsets past 15:59; nor has
 * RFC 3339 a year 10000, to which an offset may lead.
 */
export const momentSchema = z.iso.datetime({ offset: true }).transform((text) => new Date(Math.min(Math.max(Date.parse(text), FIRST_MOMENT_MS), LAST_MOMENT_MS)).toISOString());

/** Chosen by the sender; a second send of the same id by the same author is the same message (G2). */
export const clientMsgIdSchema = z
  .string()
  .regex(new RegExp(`^[\\x21-\\x7e]{1,${MAX_CLIENT_MSG_ID}}$`), `must be 1 to ${MAX_CLIENT_MSG_ID} visible ASCII characters`);

/** Postgres can hold neither NUL nor a lone surrogate, so neither enters. */
const storable = (text: string): boolean => !text.includes('\u0000') && text.isWellFormed();
const storableMessage = 'must be well-formed Unicode without NUL';

/** `pattern`s say to readers of the documents what the refinements beside them check: JSON Schema knows no refinements. */
export const textSchema = z
  .string()
  .max(MAX_TEXT)
  .refine((text) => text.trim() !== '', 'must not be blank')
  .refine(storable, storableMessage)
  .meta({ pattern: String.raw`^\s*[^\s\x00][^\x00]*$` });
export const emojiSchema = z
  .string()
  .regex(/^\S+$/u, 'must have no white space')
  .max(MAX_EMOJI)
  .refine(storable, storableMessage)
  .meta({ pattern: String.raw`^[^\s\x00]+$` });
/** Letters with the marks that many scripts need, and digits. */
const CHANNEL_NAME = String.raw`^[\p{L}\p{N}][\p{L}\p{M}\p{N}._-]*$`;
const isChannelName = (name: string): boolean => new RegExp(CHANNEL_NAME, 'u').test(name) && !/\p{Default_Ignorable_Code_Point}/u.test(name);
/** In one form of Unicode (NFC), for some keyboards and all file names of a Mac come in another; without what shows as nothing, with which one name would look like another. */
export const channelNameSchema = z
  .string()
  .max(MAX_CHANNEL_NAME)
  .overwrite((name) => name.normalize('NFC'))
  // Composed, a few letters are longer.
  .max(MAX_CHANNEL_NAME)
  .refine(isChannelName, 'must be letters, digits, dots, dashes or underscores')
  .meta({ pattern: CHANNEL_NAME });
const WITHOUT_NUL = { pattern: String.raw`^[^\x00]*$` };
export const topicSchema = z.string().max(MAX_TOPIC).refine(storable, storableMessage).meta(WITHOUT_NUL);
export const purposeSchema = z.string().max(MAX_PURPOSE).refine(storable, storableMessage).meta(WITHOUT_NUL);
export const storableString = (max: number) => z.string().min(1).max(max).refine(storable, storableMessage).meta(WITHOUT_NUL);

/** The files of a message, in the order in which they are shown. */
export const fileIdsSchema = z
  .array(idSchema)
  .min(1)
  .max(MAX_MESSAGE_FILES)
  .refine((ids) => new Set(ids).size === ids.length, 'must name each file once')
  .meta({ uniqueItems: true });

const decimalMessage = 'must be a whole number in decimal digits, given once';
/**
 * A whole number in text, as queries and paths have it: decimal digits and nothing besides. JavaScript would take ` 5`, `5.0`, `0x5`, `5e0` and the empty text for numbers, too, which no
 * document of the API tells of.
 */
export const decimalSchema = (least: number, most: number = Number.MAX_SAFE_INTEGER) =>
  z
    .string(decimalMessage)
    .refine((text) => /^-?\d+$/.test(text), decimalMessage)
    .transform(Number)
    .pipe(z.int().min(least).max(most))
    .meta({ type: 'integer', minimum: least, maximum: most });

/** A counter of a conversation: `seq`, `pos`, `tpos`. 0 means before the first. */
export const counterSchema = z.int().min(0);

/** The address of an endpoint. By http only where the Worker allows it, which also asks where the name may lead (`workers/webhook-url.ts`). */
export const webUrlSchema = (max: number) => z.string().max(max).regex(new RegExp(String.raw`^[Hh][Tt][Tt][Pp][Ss]?://[^\x00]+$`), 'must be an absolute URL of https').refine(storable, storableMessage);

/** Text that may be empty. */
export const storableText = (max: number) => z.string().max(max).refine(storable, storableMessage).meta(WITHOUT_NUL);
