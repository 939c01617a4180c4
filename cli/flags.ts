import { z } from 'zod';
import { readDevFile } from '../dev/dev-file.ts';
import { DATA_DIR } from './data-dir.ts';

/** The flags of a command as its schema has them. Throws what is wrong with them, in the schema's words. */
export function parseFlags<S extends z.ZodType>(schema: S, flags: unknown): z.output<S> {
  const parsed = schema.safeParse(flags);
  if (!parsed.success) throw new Error(parsed.error.issues.map(({ message }) => message).join('; '));
  return parsed.data;
}

/** Of commands that ask the API as an administrator. */
export const adminFlags = {
  token: z.string('--token is missing: a token of an administrator with the scope admin (COLINK_TOKEN)'),
  url: z.url('nothing runs here: start `npm run dev`, or give --url'),
};

/** Flags with what the environment, or the running `colink dev`, says where they do not. */
export const withAccess = (flags: object): object => ({ token: process.env['COLINK_TOKEN'], url: process.env['COLINK_URL'] ?? readDevFile(DATA_DIR)?.url, ...flags });
