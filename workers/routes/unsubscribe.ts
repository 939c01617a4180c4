import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { html } from 'hono/html';
import { unsubscribe } from '../../db/queries/email-settings.ts';
import { UNSUBSCRIBE_PURPOSE, UNSUBSCRIBE_TOKEN } from '../../protocol/email.ts';
import { problemAnswer } from '../api-route.ts';
import type { App, AppEnv } from '../env.ts';
import { answerHtml } from '../html-page.ts';
import { withPostgres } from '../postgres.ts';
import { ProblemError } from '../problems.ts';
import { sameText } from '../same-text.ts';

const PATH = '/unsubscribe/{token}';
const page = (description: string) => ({ content: { 'text/html': { schema: z.string(), example: '<!doctype html>' } }, description });
const request = { params: z.object({ token: z.string() }) };

const ask = createRoute({
  path: PATH,
  method: 'get',
  summary: 'Where the link in a digest leads: a page that asks. Who only looks, as programs that check links do, changes nothing',
  request,
  responses: { 200: page('The page'), 404: problemAnswer('not_found') },
});

const end = createRoute({
  path: PATH,
  method: 'post',
  summary: 'End digests by e-mail, by the signed link in one of them alone (RFC 8058)',
  request,
  responses: { 200: page('There will be no more'), 404: problemAnswer('not_found'), 503: problemAnswer('unavailable') },
});

/** By the link's signature alone: whoever reads a mail may end what it is one of, wherever they are signed in. */
export function unsubscribeRoutes(): App {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(ask, async (c) => {
    await userOf(c, c.req.valid('param').token);
    return answerHtml(c, html`<p>Do you want no more digests by e-mail?</p><form method="post"><button>No more digests</button></form>`, 200);
  });

  app.openapi(end, async (c) => {
    const userId = await userOf(c, c.req.valid('param').token);
    await withPostgres(c, (db) => unsubscribe(db, userId));
    return answerHtml(c, html`<p>There will be no more digests by e-mail.</p>`, 200);
  });

  return app;
}

/** Whom a token is of. `not_found` for every other one, and where there is no fleet that could have signed it. */
async function userOf(c: Context<AppEnv>, token: string): Promise<string> {
  const [, userId, signature] = UNSUBSCRIBE_TOKEN.exec(token) ?? [];
  const secret = c.env.FLEET_TOKEN;
  if (!secret || userId === undefined || signature === undefined || !sameText(signature, await sign(secret, userId))) throw new ProblemError({ code: 'not_found' });
  return userId;
}

async function sign(secret: string, userId: string): Promise<string> {
  const encoder = new TextEncoder();
  const key = await crypto.subtle.importKey('raw', encoder.encode(secret), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  const signature = new Uint8Array(await crypto.subtle.sign('HMAC', key, encoder.encode(UNSUBSCRIBE_PURPOSE + userId)));
  return btoa(String.fromCharCode(...signature)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
