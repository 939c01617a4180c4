import { createECDH, randomBytes } from 'node:crypto';
import { uuidv7 } from 'uuidv7';
import { z } from 'zod';
import type { Bed } from './bed.ts';
import type { Names } from './route-requests.ts';
import type { WorldUser } from './world.ts';

/** A request of a route that takes effect: what is there is made for it alone. */
export interface Effective {
  readonly caller: WorldUser;
  readonly names?: Names;
  /** Absent: as the document shows it, if the route takes one. */
  readonly body?: object;
  /** The ETag that it names, where it is to. */
  readonly etag?: string;
}

const HOUR_MS = 3_600_000;
export const later = (hours: number): string => new Date(Date.now() + hours * HOUR_MS).toISOString();
export const own = async (bed: Bed): Promise<Effective> => ({ caller: await bed.person() });
export const ofAdmin = async (bed: Bed): Promise<Effective> => ({ caller: await bed.person('admin') });
export const ofOwner = async (bed: Bed): Promise<Effective> => {
  const { id, owner } = await bed.channel();
  return { caller: owner, names: { id, channel_id: id } };
};
export const ofMessage = async (bed: Bed): Promise<Effective> => {
  const { owner, names } = await bed.message();
  return { caller: owner, names };
};
/** After something was done with a message of its own. */
export const after = (method: string, path: string) => async (bed: Bed): Promise<Effective> => {
  const { owner, names } = await bed.message();
  await bed.call(owner, method, `/v1/channels/${names.id}/messages/${names.message_id}/${path}`);
  return { caller: owner, names };
};
export const settings = (path: string) => async (bed: Bed): Promise<Effective> => {
  const caller = await bed.person();
  return { caller, etag: await bed.etagOf(caller, path) };
};
export const webhook = async (bed: Bed): Promise<{ caller: WorldUser; names: { id: string } }> => {
  const caller = await bed.person();
  return { caller, names: { id: await bed.idOf(caller, '/v1/webhooks', { url: 'https://example.com/', event_types: ['message.created'] }) } };
};
export const incoming = async (bed: Bed): Promise<Effective> => {
  const { id, owner } = await bed.channel();
  return { caller: owner, names: { id, webhook_id: await bed.idOf(owner, `/v1/channels/${id}/incoming-webhooks`, { name: 'CI' }) } };
};
export const scheduled = async (bed: Bed): Promise<Effective> => {
  const { id, owner } = await bed.channel();
  const message = await bed.idOf(owner, `/v1/channels/${id}/scheduled-messages`, { text: 'later', send_at: later(1) });
  return { caller: owner, names: { id: message }, etag: await bed.etagOf(owner, `/v1/me/scheduled-messages/${message}`) };
};
export const drafted = (of: 'channel' | 'thread') => async (bed: Bed): Promise<Effective> => {
  const { owner, names } = await bed.message();
  const draft = await bed.call(owner, 'PUT', `/v1/me/drafts/${names.id}${of === 'thread' ? `/${names.thread_id}` : ''}`, { text: 'a draft' });
  return { caller: owner, names, etag: `"${z.looseObject({ version: z.int() }).parse(draft).version}"` };
};
/** A file of a caller that may be their picture. */
export async function picture(bed: Bed): Promise<{ caller: WorldUser; fileId: string }> {
  const { id, owner: caller } = await bed.channel();
  const { id: fileId } = await caller.api.upload(id, 'me.bin', new Blob(['me']));
  await bed.world.sql`UPDATE files SET status = 'clean', thumbnails = '[{"size": 160, "width": 160, "height": 160}]' WHERE id = ${fileId}`;
  return { caller, fileId };
}
/** Somebody who has one. */
export async function pictured(bed: Bed): Promise<{ caller: WorldUser }> {
  const { caller, fileId } = await picture(bed);
  await caller.api.setAvatar(fileId);
  return { caller };
}
export const user = (...before: string[]) => async (bed: Bed): Promise<Effective> => {
  const [caller, { id }] = [await bed.person('admin'), await bed.person()];
  for (const act of before) await bed.call(caller, 'POST', `/v1/admin/users/${id}/${act}`);
  return { caller, names: { id } };
};
export const report = async (bed: Bed): Promise<{ caller: WorldUser; names: { id: string; message_id: string } }> => {
  const { id, owner, others: [caller = owner] } = await bed.channel(1);
  const { message_id, seq } = await owner.api.send(id, { client_msg_id: 'first', text: 'first' });
  await bed.drained(id, seq ?? 0);
  return { caller, names: { id, message_id } };
};
export const reported = async (bed: Bed): Promise<Effective> => {
  const { caller, names } = await report(bed);
  const id = await bed.idOf(caller, `/v1/channels/${names.id}/messages/${names.message_id}/reports`, { reason: 'spam', comment: '' });
  return { caller: await bed.person('admin'), names: { id }, body: { action: 'remove_message', note: 'advertising' } };
};
/** A browser's subscription, as it says it itself. */
export const browser = () => ({ endpoint: `https://push.example.net/${uuidv7()}`, keys: { p256dh: createECDH('prime256v1').generateKeys('base64url'), auth: randomBytes(16).toString('base64url') } });
export const others = (change: (id: string, other: string) => object) => async (bed: Bed): Promise<Effective> => {
  const { id, owner, others: [other] } = await bed.channel(1);
  return { caller: owner, names: { id, user_id: other?.id ?? '' }, body: change(id, other?.id ?? '') };
};
