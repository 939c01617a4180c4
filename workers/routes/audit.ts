import { OpenAPIHono } from '@hono/zod-openapi';
import { findAuditHead, listAudit } from '../../db/queries/audit.ts';
import { auditFilterSchema, auditHeadSchema, auditPageSchema, type AuditRow } from '../../protocol/audit.ts';
import { asAdmin } from '../admin.ts';
import { apiRoute, json } from '../api-route.ts';
import type { App, AppEnv } from '../env.ts';
import { listingOf } from '../listing.ts';
import { cursorSchema, decodeCounter, encodeCursor, limitSchema } from '../paging.ts';

const LIST = 'audit';

const rowExample: AuditRow = {
  seq: 42,
  at: '2026-11-26T12:00:00.000Z',
  act: 'user.role_changed',
  actor_id: '01990000-0000-7000-8000-000000000001',
  actor_name: null,
  credential_id: '01990000-0000-7000-8000-000000000002',
  target_kind: 'user',
  target_id: '01990000-0000-7000-8000-000000000003',
  details: '{"from":"member","to":"moderator"}',
  request_id: 'b1946ac9-2f7e-0',
  previous_hash: '0f343b0931126a20f133d67c2b018a3b0f343b0931126a20f133d67c2b018a3b',
  hash: '5891b5b522d5df086d0ff0b110fbd9d25891b5b522d5df086d0ff0b110fbd9d2',
};

const list = apiRoute({ scope: 'admin', limit: 'read' }, '/v1/admin/audit', {
  method: 'get',
  summary: 'What was done by whom, for administrators, the newest first. All filters hold',
  request: { query: auditFilterSchema.extend({ limit: limitSchema, cursor: cursorSchema }) },
  responses: { 200: json(auditPageSchema, 'A page of the audit log', { data: [rowExample], next_cursor: null }) },
});

const head = apiRoute({ scope: 'admin', limit: 'read' }, '/v1/admin/audit/head', {
  method: 'get',
  summary: 'The newest row of the chain, for administrators, to be kept elsewhere: `colink audit verify --from-head` holds the log to it',
  responses: { 200: json(auditHeadSchema, 'Its number and hash', { seq: rowExample.seq, hash: rowExample.hash }) },
});

export function auditRoutes(): App {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(list, async (c) => {
    const { limit, cursor, ...filter } = c.req.valid('query');
    const below = cursor === undefined ? null : decodeCounter(LIST, cursor);
    const found = await asAdmin(c, (db) => listAudit(db, filter, below, limit + 1));
    return c.json(listingOf(c, found, limit, ({ seq }) => encodeCursor(LIST, seq)), 200);
  });

  app.openapi(head, async (c) => c.json(await asAdmin(c, findAuditHead), 200));

  return app;
}
