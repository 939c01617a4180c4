import type { Context } from 'hono';
import { uuidv7 } from 'uuidv7';
import type { Transaction } from '../../db/client.ts';
import { findGeneralChannel } from '../../db/queries/channels.ts';
import { ensureCredential, type NewCredential } from '../../db/queries/credentials.ts';
import { keepAddress } from '../../db/queries/email-settings.ts';
import { enrol } from '../../db/queries/members.ts';
import { makeFirstAdmin } from '../../db/queries/user-roles.ts';
import { signIn, type SignIn } from '../../db/queries/users.ts';
import { tellRoom } from '../directory.ts';
import type { AppEnv, Env } from '../env.ts';
import { inTransaction } from '../postgres.ts';
import { unwrap } from '../problems.ts';

/** Lets in whom the identity provider vouches for: makes or refreshes the user, and their credential. Throws `forbidden` for a deactivated user. */
export async function enter(c: Context<AppEnv>, person: SignIn, credential: Omit<NewCredential, 'id' | 'user_id'>): Promise<{ userId: string }> {
  const { userId, joined } = await inTransaction(c, async (tx) => {
    const now = new Date();
    const isOpen = c.env.SIGN_IN !== 'invited';
    const { user, created } = unwrap(await signIn(tx, person, now, isOpen));
    if (person.email !== undefined) await keepAddress(tx, user.id, person.email);
    if (isFirstAdmin(c.env, person)) await makeFirstAdmin(tx, user.id, now);
    await ensureCredential(tx, { ...credential, id: uuidv7(), user_id: user.id });
    return { userId: user.id, joined: created && isOpen ? await welcome(tx, user.id, now) : null };
  });
  if (joined) await tellRoom(c, joined);
  return { userId };
}

/** By what the provider knows them as, never by a name, which people choose. */
const isFirstAdmin = ({ OIDC_ISSUER, FIRST_ADMIN_SUBJECT }: Env, { issuer, subject }: SignIn): boolean =>
  FIRST_ADMIN_SUBJECT !== '' && subject === FIRST_ADMIN_SUBJECT && URL.canParse(OIDC_ISSUER) && new URL(issuer).href === new URL(OIDC_ISSUER).href;

/** Who is new joins the general channel, if there is one. */
async function welcome(tx: Transaction, userId: string, now: Date) {
  const channelId = await findGeneralChannel(tx);
  if (channelId === null) return null;
  const change = { channelId, userId, actorId: userId, eventId: uuidv7(), now, traceparent: null };
  await enrol(tx, change);
  return change;
}
