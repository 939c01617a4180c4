import { z } from 'zod';

export const themeSchema = z.enum(['system', 'light', 'dark']);
export type Theme = z.infer<typeof themeSchema>;
export const timeFormatSchema = z.enum(['auto', '12h', '24h']);
export type TimeFormat = z.infer<typeof timeFormatSchema>;

/** How a user wants Colink to look, on all devices. `version` is the `ETag`; 0: nothing was ever set. */
export const userSettingsSchema = z
  .strictObject({
    theme: themeSchema,
    /** `auto`: as is usual where the device is. */
    time_format: timeFormatSchema,
    version: z.int().min(0),
  })
  .meta({ id: 'UserSettings' });
export type UserSettings = z.infer<typeof userSettingsSchema>;

/** What is absent stays. */
export const userSettingsBodySchema = userSettingsSchema.omit({ version: true }).partial();
export type UserSettingsBody = z.infer<typeof userSettingsBodySchema>;
