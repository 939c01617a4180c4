import { z } from 'zod';

/** What the worker host is told at its start. */
export const hostSettingsSchema = z.strictObject({
  /** The `wrangler.toml`. */
  configFile: z.string(),
  /** Instead of the configuration's `main`. */
  entry: z.string().optional(),
  /** Instead of the configuration's. */
  compatibilityFlags: z.array(z.string()).optional(),
  port: z.int(),
  /** Where the storage of Durable Objects is kept, and the bundle. */
  storageDir: z.string(),
  bundleDir: z.string(),
  postgresUrl: z.string(),
  /** Of a streaming replica, if there is one. */
  postgresReplicaUrl: z.string().optional(),
  /** Of a user, by each policy; instead of the configuration's. */
  requestsPerMinute: z.int().optional(),
  /** Override the configuration's `[vars]`. */
  vars: z.record(z.string(), z.string()),
});
export type HostSettings = z.infer<typeof hostSettingsSchema>;

/** What the host tells: the process id of the workerd it has just started. */
export const hostMessageSchema = z.strictObject({ workerd: z.int() });
