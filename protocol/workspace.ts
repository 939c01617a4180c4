import { z } from 'zod';

/** Settings of the whole workspace, for its administrators (`/v1/admin/settings`). */

/** Longest that a message may be editable and yet not for good, in seconds: ten years. */
const MAX_EDIT_WINDOW = 315_360_000;

export const workspaceSettingsSchema = z
  .strictObject({
    /** How long after it was sent its author may edit a message; 0: not at all, null: for good. */
    edit_window_seconds: z.int().min(0).max(MAX_EDIT_WINDOW).nullable(),
    /** It is the `ETag`. */
    version: z.int().min(0),
  })
  .meta({ id: 'WorkspaceSettings' });
export type WorkspaceSettings = z.infer<typeof workspaceSettingsSchema>;

/** What is not named stays. */
export const workspaceSettingsBodySchema = z.strictObject({ edit_window_seconds: workspaceSettingsSchema.shape.edit_window_seconds.optional() });
export type WorkspaceSettingsBody = z.infer<typeof workspaceSettingsBodySchema>;
