import type { Env } from '../env.ts';

/** Where R2 has what belongs to a file: all under one prefix, so that it can be removed without knowing what there is. */
const prefixOf = (fileId: string): string => `files/${fileId}/`;
export const contentKey = (fileId: string): string => `${prefixOf(fileId)}content`;
export const thumbnailKey = (fileId: string, size: number): string => `${prefixOf(fileId)}thumbnails/${size}`;

type Bucket = Env['FILES'];

/** Removes the content of a file and all of its thumbnails. Repeating it does no harm. */
export async function removeObjects(bucket: Bucket, fileId: string): Promise<void> {
  // A listing has at most 1,000 of them, as many as one call deletes, and a file has few.
  const { objects } = await bucket.list({ prefix: prefixOf(fileId) });
  if (objects.length > 0) await bucket.delete(objects.map(({ key }) => key));
}
