import { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { tellingsSchema, type TellAnswer, type UserTelling } from '../../protocol/tellings.ts';
import type { App, AppEnv, Env } from '../env.ts';
import { readBody } from '../json.ts';
import { ProblemError } from '../problems.ts';
import { callInbox } from '../room.ts';
import { sameText } from '../same-text.ts';

/** What the consumer fleet calls, by the secret `FLEET_TOKEN`. No part of the API: without the secret there is nothing here. */
export function internalRoutes(): App {
  const app = new OpenAPIHono<AppEnv>();
  app.post('/internal/inboxes', async (c) => {
    refuseOthers(c);
    const { data } = await readBody(c, tellingsSchema);
    return c.json({ data: await Promise.all(data.map((telling) => tell(c.env, telling))) }, 200);
  });
  return app;
}

function refuseOthers(c: Context<AppEnv>): void {
  const { FLEET_TOKEN: token } = c.env;
  if (!token || !sameText(c.req.raw.headers.get('authorization') ?? '', `Bearer ${token}`)) throw new ProblemError({ code: 'not_found' });
}

/** One inbox that fails fails for itself. */
async function tell(env: Env, { user_id, ...telling }: UserTelling): Promise<TellAnswer> {
  try {
    return await callInbox(env, user_id, (inbox) => inbox.tell(user_id, telling));
  } catch (error) {
    if (error instanceof ProblemError) return { status: 'unavailable' };
    console.warn(JSON.stringify({ level: 'warn', event: 'inbox_failed', user_id, error: String(error) }));
    return { status: 'failed' };
  }
}
