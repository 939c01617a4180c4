import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { uuidv7 } from 'uuidv7';
import { deleteFile, findFile, listFiles } from '../../db/queries/files.ts';
import { filePageSchema } from '../../protocol/api.ts';
import { fileNameSchema, fileSchema, type FileState } from '../../protocol/files.ts';
import { idSchema } from '../../protocol/primitives.ts';
import { apiRoute, channelParams, json, keyHeader, problemAnswer } from '../api-route.ts';
import { forgetProfile } from '../cache/forget-profile.ts';
import { answered, writeDirectory } from '../directory.ts';
import type { App, AppEnv } from '../env.ts';
import { serveContent, serveThumbnail } from '../files/content.ts';
import { removeObjects } from '../files/store.ts';
import { claimOf, upload as takeUpload } from '../files/upload.ts';
import { listingOf } from '../listing.ts';
import { cursorSchema, decodeId, encodeCursor, limitSchema } from '../paging.ts';
import { withPostgres } from '../postgres.ts';
import { unwrap } from '../problems.ts';
import type { Services } from '../services.ts';
import { traceparentOf } from '../traceparent.ts';

const READ = { scope: 'messages:read', limit: 'read' } as const;
const WRITE = { scope: 'messages:write', limit: 'send' } as const;

const fileParams = z.object({ id: idSchema });
const bytes = z.string().openapi({ format: 'binary' });
const binary = (type: string, description: string) => ({ content: { [type]: { schema: bytes } }, description });

const upload = apiRoute({ ...WRITE, readsBody: true }, '/v1/files', {
  method: 'post',
  summary: 'Upload a file to a channel, for its members. The body is the content, its Content-Type the media type; nobody can download it before it is scanned',
  request: {
    headers: keyHeader,
    query: z.object({
      channel_id: idSchema.meta({ description: 'The channel whose members will see it' }),
      name: fileNameSchema.meta({ description: 'The name of the file, without a path', example: 'engine.png' }),
    }),
    body: { content: { 'application/octet-stream': { schema: bytes.openapi({ minLength: 1 }) }, '*/*': { schema: bytes.openapi({ minLength: 1 }) } }, required: true, description: 'The content, with its Content-Length' },
  },
  responses: {
    201: json(fileSchema, 'The file is stored, and will be scanned'),
    409: problemAnswer('channel_archived'),
    404: problemAnswer('not_found'),
    411: problemAnswer('length_required'),
    413: problemAnswer('quota_exceeded'),
  },
});

const read = apiRoute(READ, '/v1/files/{id}', {
  method: 'get',
  summary: 'What is known of a file, for who uploaded it and the members of its channel',
  request: { params: fileParams },
  responses: { 200: json(fileSchema, 'The file') },
});

const unclean = { 409: problemAnswer('file_not_clean'), 410: problemAnswer('file_infected') };
const unchanged = { 304: { description: 'The client has it already: its ETag is the one of If-None-Match' } };

const content = apiRoute(READ, '/v1/files/{id}/content', {
  method: 'get',
  summary: 'The content of a clean file, as an attachment. Takes Range and If-None-Match',
  request: { params: fileParams },
  responses: {
    200: binary('*/*', 'All of it'),
    206: binary('*/*', 'The range that was asked for'),
    416: problemAnswer('range_not_satisfiable'),
    ...unchanged,
    ...unclean,
  },
});

const thumbnail = apiRoute(READ, '/v1/files/{id}/thumbnails/{size}', {
  method: 'get',
  summary: 'A thumbnail of a clean file, by one of the sizes that the file names',
  request: { params: fileParams.extend({ size: z.string().openapi({ type: 'integer', example: 320 }) }) },
  responses: { 200: binary('image/webp', 'The thumbnail'), ...unchanged, ...unclean },
});

const list = apiRoute(READ, '/v1/channels/{id}/files', {
  method: 'get',
  summary: 'The files of a channel, the newest first, for its members',
  request: { params: channelParams, query: z.object({ limit: limitSchema, cursor: cursorSchema }) },
  responses: { 200: json(filePageSchema, 'A page of files') },
});

const remove = apiRoute(WRITE, '/v1/files/{id}', {
  method: 'delete',
  summary: 'Delete a file, for who uploaded it, owners and admins of its channel, and administrators. Nobody can read it when this returns; messages that show it stay',
  request: { headers: keyHeader, params: fileParams },
  responses: { 204: { description: 'It is gone' } },
});

const GONE = { body: z.null(), statuses: [204] as const };

const findHere = async (c: Context<AppEnv>, fileId: string): Promise<FileState> =>
  unwrap(await withPostgres(c, (db) => findFile(db, c.get('identity').actor.credential_id, fileId)));

export function fileRoutes(services: Pick<Services, 'profiles' | 'redisBreaker'>): App {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(upload, async (c) => {
    const { channel_id: channelId, name } = c.req.valid('query');
    const { file, replayed } = await takeUpload(c, claimOf(c, { channelId, name }));
    c.header('Location', `/v1/files/${file.id}`);
    if (replayed) c.header('Idempotency-Replayed', 'true');
    return c.json(file, 201);
  });

  app.openapi(read, async (c) => c.json(await findHere(c, c.req.valid('param').id), 200));

  app.openapi(content, async (c) => serveContent(c, await findHere(c, c.req.valid('param').id)));

  app.openapi(thumbnail, async (c) => {
    const { id, size } = c.req.valid('param');
    return serveThumbnail(c, await findHere(c, id), size);
  });

  app.openapi(list, async (c) => {
    const { id } = c.req.valid('param');
    const { limit, cursor } = c.req.valid('query');
    const listName = `files ${id}`;
    const before = cursor === undefined ? null : decodeId(listName, cursor);
    const found = unwrap(await withPostgres(c, (db) => listFiles(db, c.get('identity').actor.credential_id, id, { before, limit: limit + 1 })));
    return c.json(listingOf(c, found, limit, ({ id }) => encodeCursor(listName, id)), 200);
  });

  app.openapi(remove, async (c) => {
    const { id: fileId } = c.req.valid('param');
    const request = { credentialId: c.get('identity').actor.credential_id, fileId, eventId: uuidv7(), traceparent: traceparentOf(c.req.raw.headers) };
    let uploaderId: string | null = null;
    await writeDirectory(c, GONE, async (tx, now) => {
      const deleted = await deleteFile(tx, { ...request, now });
      if ('ok' in deleted) uploaderId = deleted.ok.uploader_id;
      return answered(204, deleted, () => null);
    });
    // It may have been their picture.
    if (uploaderId !== null) await forgetProfile(c, services, uploaderId);
    // At once where that is possible; the fleet does it in any case.
    c.executionCtx.waitUntil(removeObjects(c.env.FILES, fileId).catch(() => {}));
    return c.body(null, 204);
  });

  return app;
}
