import { z } from 'zod';
import { MAX_PREVIEW_DESCRIPTION, MAX_PREVIEW_SITE, MAX_PREVIEW_TITLE, MAX_PREVIEW_URL, MAX_PREVIEWS } from './limits.ts';
import { storableString } from './primitives.ts';

/** Previews are shown to people, and what they say is a stranger's: nothing in them controls, hides or turns text. */
const HIDING = String.raw`\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb`;
const HIDES = new RegExp(`[${HIDING}\\u{e0000}-\\u{e007f}]`, 'u');
const shownString = (max: number) => storableString(max).refine((text) => !HIDES.test(text), 'must have no character that controls text').meta({ pattern: `^[^${HIDING}]*$` });

/** All that `shownString` refuses, for who makes one. */
export const HIDING_CHARACTERS = new RegExp(HIDES, 'gu');

/** What a page on the web says of itself, in plain text. `url`: of the link in the message, in the form of the URL Standard and without its fragment. */
export const linkPreviewSchema = z.strictObject({
  url: z.url({ protocol: /^https?$/ }).max(MAX_PREVIEW_URL),
  title: shownString(MAX_PREVIEW_TITLE),
  description: shownString(MAX_PREVIEW_DESCRIPTION).nullable(),
  site_name: shownString(MAX_PREVIEW_SITE).nullable(),
});
export type LinkPreview = z.infer<typeof linkPreviewSchema>;

/** In the order of the links in the message. */
export const linkPreviewsSchema = z.array(linkPreviewSchema).min(1).max(MAX_PREVIEWS);
