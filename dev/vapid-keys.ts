import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import webPush from 'web-push';
import { z } from 'zod';

const keysSchema = z.strictObject({ publicKey: z.string(), privateKey: z.string() });

/** Where push services would reach whoever runs this. */
const SUBJECT = 'mailto:developer@colink.example';

export interface VapidVariables {
  readonly worker: Readonly<Record<string, string>>;
  readonly fleet: Readonly<Record<string, string>>;
}

/** Variables of the keys in `file`, made at the first use and kept, so that browsers stay subscribed over a restart. */
export function persistentVapid(file: string): VapidVariables {
  const { publicKey, privateKey } = keysOf(file);
  return { worker: { VAPID_PUBLIC_KEY: publicKey }, fleet: { VAPID_PRIVATE_KEY: privateKey, VAPID_SUBJECT: SUBJECT } };
}

function keysOf(file: string): z.infer<typeof keysSchema> {
  try {
    return keysSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const keys = webPush.generateVAPIDKeys();
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, JSON.stringify(keys), { mode: 0o600 });
  return keys;
}
