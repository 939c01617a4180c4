import { z } from 'zod';
import { MAX_DISPLAY_NAME, MAX_HANDLE } from './limits.ts';

/** Names of people, which others tell them apart by: what looks the same is to be the same. */

/** Where a joiner makes another shape of what is before it: within an emoji, and in scripts that need it. */
const JOINERS = /(?<=[\p{Extended_Pictographic}\p{Emoji_Modifier}\ufe0f])\u200d|(?<=[\p{Script=Arabic}\p{Script=Syriac}\p{Script=Devanagari}\p{Script=Bengali}\p{Script=Gujarati}\p{Script=Gurmukhi}\p{Script=Oriya}\p{Script=Tamil}\p{Script=Telugu}\p{Script=Kannada}\p{Script=Malayalam}\p{Script=Sinhala}\p{Script=Khmer}\p{Script=Mongolian}\p{M}])[\u200c\u200d]/gu;
const EMOJI_STYLE = /(?<=[\p{Extended_Pictographic}\d#*])[\ufe0e\ufe0f]/gu;
/** Controls, ends of lines, and what shows as nothing: zero widths, directions, fillers, an empty pattern of Braille. */
const UNSEEN = /[\p{Cc}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{Co}\u2800]/u;

const isPlain = (text: string): boolean => text.isWellFormed() && !UNSEEN.test(text.replaceAll(JOINERS, '').replaceAll(EMOJI_STYLE, ''));

/** In one form of Unicode (NFC), with plain and single spaces, none at the ends. */
const tidy = (text: string): string => (text.isWellFormed() ? text.normalize('NFC').replaceAll(/\p{Zs}+/gu, ' ').trim() : text);

/** One line of text that a user says of themselves, at most so long as it is given; it may be empty. */
export const lineSchema = (max: number) =>
  z
    .string()
    .max(max)
    .overwrite(tidy)
    // Composed, a few sequences are longer.
    .max(max)
    .refine(isPlain, 'must be one line, without controls and characters that nobody sees')
    .meta({ pattern: String.raw`^[^\x00-\x1f\x7f]*$` });

/** What people and bots are called beside their handle. */
export const displayNameSchema = lineSchema(MAX_DISPLAY_NAME)
  .min(1, 'must not be blank')
  .meta({ pattern: String.raw`^ *[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$` });

const KEPT_OR_UNSEEN = new RegExp(`(${JOINERS.source}|${EMOJI_STYLE.source})|${UNSEEN.source}`, 'gu');
const withoutUnseen = (text: string): string => text.replaceAll(KEPT_OR_UNSEEN, (_, kept?: string) => kept ?? '');

/** The line that a text of elsewhere comes nearest to: what a line may not have is left out, and its ends of lines and controls are spaces. It may be empty. */
export function nearestLine(text: string): string {
  const line = tidy(withoutUnseen(text.toWellFormed().replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')));
  // What kept a joiner may itself have been left out.
  return isPlain(line) ? line : tidy(line.replaceAll(new RegExp(UNSEEN, 'gu'), ''));
}

/** What mentions many: nobody is called so. */
const RESERVED = new Set(['all', 'channel', 'everyone', 'here', 'me']);
export const isReservedHandle = (handle: string): boolean => RESERVED.has(handle);
/** As a mention can name it: `mentioned_handles` in Postgres. */
export const handleSchema = z
  .string()
  .max(MAX_HANDLE)
  .regex(/^[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?$/, 'must be small letters and digits, with dots, dashes and underscores between them')
  .refine((handle) => !isReservedHandle(handle), 'is reserved');
