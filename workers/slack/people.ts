import type { Database } from '../../db/client.ts';
import { findPeople } from '../../db/queries/names.ts';
import type { Message } from '../../protocol/api.ts';
import { handlesIn } from './mrkdwn.ts';
import type { People } from './shapes.ts';

/** Who is named in messages, and which of their authors are bots. */
export function peopleOf(db: Database, messages: readonly Pick<Message, 'text' | 'author_id'>[]): Promise<People> {
  const handles = new Set(messages.flatMap(({ text }) => handlesIn(text)));
  return findPeople(db, [...handles], [...new Set(messages.map(({ author_id }) => author_id))]);
}
