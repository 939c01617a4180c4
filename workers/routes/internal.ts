import { OpenAPIHono } from '@hono/zod-openapi';
import { announcementsSchema, type Announcement, type AnnounceAnswer } from '../../protocol/announcements.ts';
import { type RedactAnswer, type Redaction, redactionsSchema } from '../../protocol/redactions.ts';
import { tellingsSchema, type TellAnswer, type UserTelling } from '../../protocol/tellings.ts';
import type { App, AppEnv, Env } from '../env.ts';
import { refuseOthers } from '../fleet-token.ts';
import { readBody } from '../json.ts';
import { ProblemError } from '../problems.ts';
import { callInbox, callRoom } from '../room.ts';

/** What the consumer fleet calls, by the secret `FLEET_TOKEN`. No part of the API: without the secret there is nothing here. */
export function internalRoutes(): App {
  const app = new OpenAPIHono<AppEnv>();
  app.post('/internal/inboxes', async (c) => {
    refuseOthers(c);
    const { data } = await readBody(c, tellingsSchema);
    return c.json({ data: await Promise.all(data.map((telling) => tell(c.env, telling))) }, 200);
  });
  app.post('/internal/announcements', async (c) => {
    refuseOthers(c);
    const { data } = await readBody(c, announcementsSchema);
    return c.json({ data: await Promise.all(data.map((announcement) => announce(c.env, announcement))) }, 200);
  });
  app.post('/internal/redactions', async (c) => {
    refuseOthers(c);
    const { data } = await readBody(c, redactionsSchema);
    return c.json({ data: await Promise.all(data.map((redaction) => redact(c.env, redaction))) }, 200);
  });
  return app;
}

function tell(env: Env, { user_id, ...telling }: UserTelling): Promise<TellAnswer> {
  return forItself({ event: 'inbox_failed', user_id }, () => callInbox(env, user_id, (inbox) => inbox.tell(user_id, telling)));
}

function announce(env: Env, announcement: Announcement): Promise<AnnounceAnswer> {
  if (announcement.to === 'room') {
    const { to: _, channel_id, ...news } = announcement;
    return forItself({ event: 'room_failed', channel_id }, () => callRoom(env, channel_id, (room) => room.announce(channel_id, news)));
  }
  const { user_id, credential_id } = announcement;
  return forItself({ event: 'inbox_failed', user_id }, async () => {
    await callInbox(env, user_id, (inbox) => inbox.revokeCredential(credential_id));
    return { status: 'told' };
  });
}

function redact(env: Env, redaction: Redaction): Promise<RedactAnswer> {
  const { channel_id } = redaction;
  return forItself({ event: 'room_failed', channel_id }, () => callRoom(env, channel_id, (room) => room.redact(redaction)));
}

/** One object that fails fails for itself. */
async function forItself<A>(whose: object, call: () => Promise<A>): Promise<A | { readonly status: 'unavailable' | 'failed' }> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof ProblemError) return { status: 'unavailable' };
    console.warn(JSON.stringify({ level: 'warn', ...whose, error: String(error) }));
    return { status: 'failed' };
  }
}
