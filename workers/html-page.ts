import type { Context } from 'hono';
import { html } from 'hono/html';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { AppEnv } from './env.ts';

type Html = ReturnType<typeof html>;

/** A page for people that is not of the app: it has no scripts and no styles, and posts to its own origin alone. */
export function answerHtml<S extends ContentfulStatusCode>(c: Context<AppEnv>, content: Html, status: S) {
  c.header('Content-Security-Policy', "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'");
  // Without any a form's POST had no origin, and were refused as forged where there is a session.
  c.header('Referrer-Policy', 'same-origin');
  c.header('Cache-Control', 'no-store');
  c.header('X-Robots-Tag', 'noindex');
  return c.html(html`<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Colink</title>${content}</html>`, status);
}
