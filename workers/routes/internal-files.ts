import { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { thumbnailSizeSchema } from '../../protocol/files.ts';
import { MAX_THUMBNAIL_BYTES } from '../../protocol/limits.ts';
import { decimalSchema, idSchema } from '../../protocol/primitives.ts';
import type { App, AppEnv } from '../env.ts';
import { contentKey, removeObjects, thumbnailKey } from '../files/store.ts';
import { refuseOthers } from '../fleet-token.ts';
import { ProblemError } from '../problems.ts';

const THUMBNAIL = 'image/webp';

/** What the consumer fleet does with the contents of files, by the secret `FLEET_TOKEN`. All of it may be repeated without harm. */
export function internalFileRoutes(): App {
  const app = new OpenAPIHono<AppEnv>();

  app.get('/internal/files/:id/content', async (c) => {
    refuseOthers(c);
    const object = await c.env.FILES.get(contentKey(fileIdOf(c)));
    if (object === null) throw new ProblemError({ code: 'not_found' });
    return c.body(object.body, 200, { 'Content-Type': 'application/octet-stream', 'Content-Length': String(object.size) });
  });

  app.put('/internal/files/:id/thumbnails/:size', async (c) => {
    refuseOthers(c);
    const [fileId, size] = [fileIdOf(c), sizeOf(c)];
    const bytes = await thumbnailOf(c);
    // Once the content is removed nothing may come to lie beside it.
    if ((await c.env.FILES.head(contentKey(fileId))) === null) throw new ProblemError({ code: 'not_found' });
    await c.env.FILES.put(thumbnailKey(fileId, size), bytes);
    return c.body(null, 204);
  });

  app.delete('/internal/files/:id', async (c) => {
    refuseOthers(c);
    await removeObjects(c.env.FILES, fileIdOf(c));
    return c.body(null, 204);
  });

  return app;
}

function fileIdOf(c: Context<AppEnv>): string {
  const id = idSchema.safeParse(c.req.param('id'));
  if (!id.success) throw new ProblemError({ code: 'not_found' });
  return id.data;
}

function sizeOf(c: Context<AppEnv>): number {
  const size = decimalSchema(1).pipe(thumbnailSizeSchema).safeParse(c.req.param('size'));
  if (!size.success) throw new ProblemError({ code: 'not_found' });
  return size.data;
}

async function thumbnailOf(c: Context<AppEnv>): Promise<ArrayBuffer> {
  if (c.req.raw.headers.get('content-type') !== THUMBNAIL) throw new ProblemError({ code: 'unsupported_media_type', detail: `a thumbnail is ${THUMBNAIL}` });
  const declared = c.req.raw.headers.get('content-length');
  if (declared === null || !/^\d{1,9}$/.test(declared)) throw new ProblemError({ code: 'length_required' });
  if (Number(declared) > MAX_THUMBNAIL_BYTES) throw new ProblemError({ code: 'body_too_large', detail: `at most ${MAX_THUMBNAIL_BYTES} bytes` });
  return c.req.arrayBuffer();
}
