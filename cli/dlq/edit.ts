import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { z } from 'zod';
import { editLetter } from '../../db/dead-letters/edit.ts';
import { letterEditBodySchema } from '../../protocol/dead-letters.ts';
import { ERRORS, type Problem } from '../../protocol/errors.ts';
import type { Act } from './desk.ts';
import { actFlags, readFlags, readIds, wordSchema } from './flags.ts';

const editFlags = {
  ...actFlags,
  key: wordSchema.optional(),
  value: wordSchema.optional(),
  valueFile: z.string().optional(),
  header: z.union([z.string(), z.array(z.string())]).transform((given) => [given].flat()).default([]),
  force: z.boolean().default(false),
  ifVersion: z.int().nullable().default(null),
  reason: wordSchema,
};

/** `colink dlq edit <id>`: what is to be redriven in the place of what came, which stays as it is. */
export const edit: Act = async ({ connection, note }, ids, flags) => {
  const { by: actor, valueFile, ifVersion: version, header, ...options } = readFlags(editFlags, flags);
  const [id, ...more] = readIds(ids);
  if (id === undefined || more.length > 0) throw new Error('edit one letter: colink dlq edit <id> --value-file fixed.json --reason why');
  const value = valueFile === undefined ? options.value : await readText(valueFile);
  const headers = Object.fromEntries(header.map(headerOf));
  const parsed = letterEditBodySchema.safeParse({ ...options, value, ...(header.length > 0 && { headers }) });
  if (!parsed.success) throw new Error(parsed.error.issues.map(({ message }) => message).join('; '));
  const { reason, ...change } = parsed.data;
  const edited = await connection.db.transaction((tx) => editLetter(tx, { id, edit: change, by: { actor, reason }, version }));
  if ('problem' in edited) throw new Error(sentenceOf(edited.problem));
  note(`edited: version ${edited.ok.version}. Look at it: colink dlq show ${id}. Then: colink dlq redrive ${id}`);
  return 0;
};

/** A file, or `-` for standard input; it must be UTF-8. */
async function readText(path: string): Promise<string> {
  const bytes = path === '-' ? await buffer(process.stdin) : await readFile(path);
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
}

function headerOf(pair: string): [string, string] {
  const at = pair.indexOf('=');
  if (at < 1) throw new Error('--header is name=value');
  return [pair.slice(0, at), pair.slice(at + 1)];
}

const sentenceOf = ({ code, detail, errors }: Problem): string =>
  [detail ?? ERRORS[code].title, ...(errors ?? []).map((error) => error.detail), ...(code === 'invalid' ? ['--force takes it all the same'] : [])].join('; ');
