import { z } from 'zod';
import { MAX_AFTER_MINUTES, MIN_AFTER_MINUTES } from './limits.ts';

/** Digests by e-mail: what a user chooses (`/v1/me/email-settings`), and the link by which each ends them (`/unsubscribe/{token}`). */

/** `off`: no mail; `after`: as soon as something has been unread for `after_minutes`, and at most one in as long; `daily`: what is unread at `daily_hour`. */
export const digestModeSchema = z.enum(['off', 'after', 'daily']);
export type DigestMode = z.infer<typeof digestModeSchema>;

const settings = {
  mode: digestModeSchema,
  after_minutes: z.int().min(MIN_AFTER_MINUTES).max(MAX_AFTER_MINUTES),
  /** Of the local day, in the time zone of the user's profile (UTC where it has none). */
  daily_hour: z.int().min(0).max(23),
};

/** `address`: as the identity provider has verified it at the last sign-in; null: it has not, and there are no mails. `version` is the `ETag`, 0 before the first change. */
export const emailSettingsSchema = z
  .strictObject({ ...settings, address: z.string().nullable(), version: z.int().min(0) })
  .meta({ id: 'EmailSettings', example: { mode: 'after', after_minutes: 15, daily_hour: 8, address: 'ada@example.com', version: 1 } });
export type EmailSettings = z.infer<typeof emailSettingsSchema>;

/** What is absent stays. */
export const emailSettingsBodySchema = z
  .strictObject(settings)
  .partial()
  .refine((body) => Object.keys(body).length > 0, 'must change something')
  .meta({ id: 'EmailSettingsChange', minProperties: 1, example: { mode: 'after', after_minutes: 15 } });
export type EmailSettingsBody = z.infer<typeof emailSettingsBodySchema>;

/** What is signed, with `FLEET_TOKEN`, by HMAC-SHA-256: this and the user's id. A token is that id, a dot, and the signature in base64url. */
export const UNSUBSCRIBE_PURPOSE = 'colink.unsubscribe.v1:';
export const UNSUBSCRIBE_TOKEN = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.([A-Za-z0-9_-]{43})$/;
