import { uuidv7 } from 'uuidv7';
import { z } from 'zod';
import { type Bed, madeSchema } from './bed.ts';
import { after, browser, drafted, type Effective, incoming, later, ofAdmin, ofMessage, ofOwner, others, own, picture, pictured, report, reported, scheduled, settings, user, webhook } from './effective-requests.ts';

export interface KeyedRoute {
  readonly prepare: (bed: Bed) => Promise<Effective>;
  /** Another body that is good in form; absent: the route takes none. */
  readonly other?: object;
  /** The event that it writes, without `colink.` and the version; null: it writes none, or has the inbox tell the caller's devices of what Postgres holds. */
  readonly event: string | null;
}

const [CHANNEL, MESSAGE, ADMIN] = ['/v1/channels/{id}', '/v1/channels/{id}/messages/{message_id}', '/v1/admin'];

/** Every route of `/v1` with a key that counts, by name: how it takes effect. A new one has to be put here (`tests/repetitions.e2e.test.ts`). */
export const KEYED_ROUTES: Readonly<Record<string, KeyedRoute>> = {
  'PATCH /v1/me': { prepare: settings('/v1/me'), other: { title: 'another' }, event: 'user.updated' },
  'PUT /v1/me/avatar': {
    prepare: async (bed) => {
      const { caller, fileId } = await picture(bed);
      return { caller, body: { file_id: fileId } };
    },
    other: { file_id: uuidv7() },
    event: 'user.updated',
  },
  'DELETE /v1/me/avatar': { prepare: async (bed) => ({ caller: (await pictured(bed)).caller }), event: 'user.updated' },
  'DELETE /v1/users/{id}/avatar': { prepare: async (bed) => ({ caller: await bed.person('admin'), names: { id: (await pictured(bed)).caller.id } }), event: 'user.updated' },
  'POST /v1/channels': { prepare: async (bed) => ({ caller: await bed.person(), body: { name: `made-${uuidv7()}` } }), other: { name: 'another' }, event: 'channel.created' },
  [`PATCH ${CHANNEL}`]: {
    prepare: async (bed) => {
      const { id, owner } = await bed.channel();
      return { caller: owner, names: { id }, etag: await bed.etagOf(owner, `/v1/channels/${id}`) };
    },
    other: { topic: 'another' },
    event: 'channel.updated',
  },
  [`POST ${CHANNEL}/archive`]: { prepare: ofOwner, event: 'channel.updated' },
  [`POST ${CHANNEL}/unarchive`]: {
    prepare: async (bed) => {
      const { id, owner } = await bed.channel();
      await bed.call(owner, 'POST', `/v1/channels/${id}/archive`);
      return { caller: owner, names: { id } };
    },
    event: 'channel.updated',
  },
  'POST /v1/direct-channels': { prepare: async (bed) => ({ caller: await bed.person(), body: { user_ids: [(await bed.person()).id] } }), other: { user_ids: [] }, event: 'channel.created' },
  'DELETE /v1/direct-channels/{id}': {
    prepare: async (bed) => {
      const caller = await bed.person();
      return { caller, names: { id: await bed.idOf(caller, '/v1/direct-channels', { user_ids: [] }) } };
    },
    event: null,
  },
  'POST /v1/invitations': {
    prepare: async (bed) => {
      const { id, owner } = await bed.channel();
      return { caller: owner, body: { channel_ids: [id] } };
    },
    other: { channel_ids: [uuidv7()] },
    event: null,
  },
  'DELETE /v1/invitations/{id}': {
    prepare: async (bed) => {
      const { id, owner } = await bed.channel();
      return { caller: owner, names: { id: await bed.idOf(owner, '/v1/invitations', { channel_ids: [id] }) } };
    },
    event: null,
  },
  'POST /v1/invitation-acceptances': {
    prepare: async (bed) => {
      const { id, owner } = await bed.channel();
      const { token } = z.looseObject({ token: z.string() }).parse(await bed.call(owner, 'POST', '/v1/invitations', { channel_ids: [id] }));
      return { caller: await bed.person(), body: { token } };
    },
    other: { token: `colink_inv_${'A'.repeat(43)}` },
    event: 'channel.member_added',
  },
  [`POST ${CHANNEL}/members`]: {
    prepare: async (bed) => {
      const { id, owner } = await bed.channel();
      return { caller: owner, names: { id }, body: { user_id: (await bed.person()).id } };
    },
    other: { user_id: uuidv7() },
    event: 'channel.member_added',
  },
  [`PUT ${CHANNEL}/members/{user_id}`]: {
    prepare: async (bed) => ({ caller: await bed.person(), names: { id: await bed.world.channel(`open-${uuidv7()}`, [await bed.person()]), user_id: 'me' } }),
    event: 'channel.member_added',
  },
  [`PATCH ${CHANNEL}/members/{user_id}`]: { prepare: others(() => ({ role: 'admin' })), other: { role: 'member' }, event: 'channel.member_added' },
  [`DELETE ${CHANNEL}/members/{user_id}`]: {
    prepare: async (bed) => {
      const { id, owner, others: [other] } = await bed.channel(1);
      return { caller: owner, names: { id, user_id: other?.id ?? '' } };
    },
    event: 'channel.member_removed',
  },
  [`POST ${CHANNEL}/messages`]: { prepare: async (bed) => ({ ...(await ofOwner(bed)), body: { text: 'sent' } }), other: { text: 'another' }, event: 'message.created' },
  [`PATCH ${MESSAGE}`]: { prepare: ofMessage, other: { text: 'another' }, event: 'message.edited' },
  [`DELETE ${MESSAGE}`]: { prepare: ofMessage, event: 'message.deleted' },
  [`POST ${CHANNEL}/message-batches`]: {
    prepare: async (bed) => ({ ...(await ofOwner(bed)), body: { messages: [{ client_msg_id: 'one', text: 'one' }] } }),
    other: { messages: [{ client_msg_id: 'two', text: 'two' }] },
    event: 'message.created',
  },
  [`PUT ${MESSAGE}/reactions/{emoji}`]: { prepare: ofMessage, event: 'reaction.added' },
  [`DELETE ${MESSAGE}/reactions/{emoji}`]: { prepare: after('PUT', 'reactions/x'), event: 'reaction.removed' },
  [`PUT ${MESSAGE}/pin`]: { prepare: ofMessage, event: 'message.pinned' },
  [`DELETE ${MESSAGE}/pin`]: { prepare: after('PUT', 'pin'), event: 'message.unpinned' },
  [`POST ${MESSAGE}/reports`]: { prepare: async (bed) => ({ ...(await report(bed)), body: { reason: 'spam', comment: '' } }), other: { reason: 'other', comment: '' }, event: null },
  [`DELETE ${MESSAGE}/previews`]: { prepare: ofMessage, event: 'message.previews_removed' },
  'PUT /v1/me/push-subscriptions': { prepare: async (bed) => ({ caller: await bed.person(), body: browser() }), other: browser(), event: null },
  'DELETE /v1/me/push-subscriptions/{id}': {
    prepare: async (bed) => {
      const caller = await bed.person();
      return { caller, names: { id: madeSchema.parse(await bed.call(caller, 'PUT', '/v1/me/push-subscriptions', browser())).id } };
    },
    event: null,
  },
  'PATCH /v1/me/email-settings': { prepare: settings('/v1/me/email-settings'), other: { mode: 'off' }, event: null },
  'PUT /v1/me/saved/{message_id}': { prepare: ofMessage, event: null },
  'DELETE /v1/me/saved/{message_id}': {
    prepare: async (bed) => {
      const { owner, names } = await bed.message();
      await bed.call(owner, 'PUT', `/v1/me/saved/${names.message_id}`);
      return { caller: owner, names };
    },
    event: null,
  },
  'PUT /v1/me/presence': { prepare: async (bed) => ({ caller: await bed.person(), body: { choice: 'away', status: null } }), other: { choice: 'auto', status: null }, event: null },
  'POST /v1/me/notifications/read': {
    prepare: async (bed) => {
      const { owner, names } = await bed.message();
      await bed.call(owner, 'PUT', `/v1/channels/${names.id}/read-state`, { read_pos: 1 });
      return { caller: owner, body: { read_seq: null } };
    },
    other: { read_seq: 1 },
    event: 'notices.read',
  },
  'PATCH /v1/me/notification-settings': { prepare: async (bed) => ({ ...(await settings('/v1/me/notification-settings')(bed)), body: { level: 'none' } }), other: { level: 'all' }, event: 'notification_level.updated' },
  [`PATCH ${CHANNEL}/notification-settings`]: {
    prepare: async (bed) => {
      const { id, owner } = await bed.channel();
      return { caller: owner, names: { id }, body: { level: 'none' }, etag: await bed.etagOf(owner, `/v1/channels/${id}/notification-settings`) };
    },
    other: { level: 'all' },
    event: 'notification_level.updated',
  },
  'PATCH /v1/me/settings': { prepare: settings('/v1/me/settings'), other: {}, event: null },
  'POST /v1/files': {
    prepare: async (bed) => {
      const { id, owner } = await bed.channel();
      return { caller: owner, names: { channel_id: id } };
    },
    event: 'file.uploaded',
  },
  'DELETE /v1/files/{id}': {
    prepare: async (bed) => {
      const { id, owner } = await bed.channel();
      return { caller: owner, names: { id: (await owner.api.upload(id, 'a.txt', new Blob(['a'], { type: 'text/plain' }))).id } };
    },
    event: 'file.deleted',
  },
  [`PUT ${CHANNEL}/read-state`]: { prepare: async (bed) => ({ ...(await ofMessage(bed)), body: { read_pos: 1 } }), other: { read_pos: 0 }, event: 'read.moved' },
  [`POST ${CHANNEL}/mark-unread`]: {
    prepare: async (bed) => {
      const { owner, names } = await bed.message();
      await bed.call(owner, 'PUT', `/v1/channels/${names.id}/read-state`, { read_pos: 1 });
      return { caller: owner, names, body: { pos: 1 } };
    },
    other: { pos: 2 },
    event: 'read.moved',
  },
  [`PUT ${MESSAGE}/read-state`]: {
    prepare: async (bed) => {
      const { owner, names } = await bed.message();
      await owner.api.send(names.id, { client_msg_id: 'reply', text: 'reply', thread_id: names.message_id });
      return { caller: owner, names, body: { tpos: 1 } };
    },
    other: { tpos: 0 },
    event: null,
  },
  'PUT /v1/me/drafts/{channel_id}': { prepare: async (bed) => ({ ...(await ofOwner(bed)), body: { text: 'a draft' } }), other: { text: 'another' }, event: null },
  'DELETE /v1/me/drafts/{channel_id}': { prepare: drafted('channel'), event: null },
  'PUT /v1/me/drafts/{channel_id}/{thread_id}': { prepare: async (bed) => ({ ...(await ofMessage(bed)), body: { text: 'a draft' } }), other: { text: 'another' }, event: null },
  'DELETE /v1/me/drafts/{channel_id}/{thread_id}': { prepare: drafted('thread'), event: null },
  [`POST ${CHANNEL}/scheduled-messages`]: {
    prepare: async (bed) => ({ ...(await ofOwner(bed)), body: { text: 'later', send_at: later(1) } }),
    other: { text: 'another', send_at: '2100-01-01T00:00:00.000Z' },
    event: null,
  },
  'PATCH /v1/me/scheduled-messages/{id}': { prepare: async (bed) => ({ ...(await scheduled(bed)), body: { text: 'changed' } }), other: { text: 'another' }, event: null },
  'DELETE /v1/me/scheduled-messages/{id}': { prepare: scheduled, event: null },
  'POST /v1/me/scheduled-messages/{id}/send-now': { prepare: scheduled, event: null },
  [`PUT ${MESSAGE}/following`]: { prepare: ofMessage, event: null },
  [`DELETE ${MESSAGE}/following`]: { prepare: after('PUT', 'following'), event: null },
  'DELETE /v1/me/credentials/{id}': {
    prepare: async (bed) => {
      const caller = await bed.person();
      return { caller, names: { id: await bed.credential(caller, 'personal') } };
    },
    event: 'user.credential_revoked',
  },
  'POST /v1/me/revoke-others': {
    prepare: async (bed) => {
      const caller = await bed.person();
      await bed.credential(caller, 'session');
      return { caller };
    },
    other: { tokens: true },
    event: 'user.credential_revoked',
  },
  'POST /v1/me/tokens': { prepare: own, other: { name: 'another' }, event: null },
  [`POST ${ADMIN}/bots`]: {
    prepare: async (bed) => ({ caller: await bed.person('admin'), body: { handle: `bot-${uuidv7().slice(-12)}`, display_name: 'Bot' } }),
    other: { handle: 'another', display_name: 'Bot' },
    event: 'user.created',
  },
  [`POST ${ADMIN}/bots/{id}/tokens`]: {
    prepare: async (bed) => {
      const caller = await bed.person('admin');
      const bot = z.looseObject({ user: madeSchema }).parse(await bed.call(caller, 'POST', '/v1/admin/bots', { handle: `bot-${uuidv7().slice(-12)}`, display_name: 'Bot' }));
      return { caller, names: { id: bot.user.id } };
    },
    other: { name: 'another' },
    event: null,
  },
  [`POST ${ADMIN}/users/{id}/deactivate`]: { prepare: user(), event: 'user.updated' },
  [`POST ${ADMIN}/users/{id}/reactivate`]: { prepare: user('deactivate'), event: 'user.updated' },
  [`POST ${ADMIN}/users/{id}/redact`]: { prepare: user('deactivate'), event: 'user.redaction_requested' },
  [`PUT ${ADMIN}/users/{id}/role`]: { prepare: async (bed) => ({ ...(await user()(bed)), body: { role: 'guest' } }), other: { role: 'moderator' }, event: 'user.updated' },
  [`POST ${ADMIN}/restart-announcements`]: { prepare: ofAdmin, other: { within_seconds: 1 }, event: null },
  [`POST ${ADMIN}/messages/{message_id}/remove`]: {
    prepare: async (bed) => ({ ...(await ofMessage(bed)), caller: await bed.person('admin') }),
    other: { reason: 'another' },
    event: 'channel.message_removal_ordered',
  },
  [`POST ${ADMIN}/reports/{id}/resolve`]: { prepare: reported, other: { action: 'dismiss', note: '' }, event: 'channel.message_removal_ordered' },
  [`PATCH ${ADMIN}/dead-letters/{id}`]: {
    prepare: async (bed) => {
      const [caller, id] = [await bed.person('admin'), await bed.letter()];
      return { caller, names: { id }, body: { value: '{"a":1}', force: true, reason: 'why' }, etag: await bed.etagOf(caller, `/v1/admin/dead-letters/${id}`) };
    },
    other: { value: '{}', force: true, reason: 'why' },
    event: null,
  },
  [`POST ${ADMIN}/dead-letter-redrives`]: { prepare: async (bed) => ({ caller: await bed.person('admin'), body: { ids: [await bed.letter()], reason: 'why' } }), other: { ids: [uuidv7()], reason: 'why' }, event: null },
  [`POST ${ADMIN}/dead-letter-discards`]: { prepare: async (bed) => ({ caller: await bed.person('admin'), body: { ids: [await bed.letter()], reason: 'why' } }), other: { ids: [uuidv7()], reason: 'why' }, event: null },
  [`PATCH ${ADMIN}/settings`]: {
    prepare: async (bed) => {
      const caller = await bed.person('admin');
      return { caller, body: { edit_window_seconds: 1_800 }, etag: await bed.etagOf(caller, '/v1/admin/settings') };
    },
    other: { edit_window_seconds: 60 },
    event: null,
  },
  'POST /v1/webhooks': { prepare: own, other: { url: 'https://example.com/another', event_types: ['message.created'] }, event: null },
  'PATCH /v1/webhooks/{id}': {
    prepare: async (bed) => {
      const { caller, names } = await webhook(bed);
      return { caller, names, body: { description: 'changed' }, etag: await bed.etagOf(caller, `/v1/webhooks/${names.id}`) };
    },
    other: { description: 'another' },
    event: null,
  },
  'DELETE /v1/webhooks/{id}': { prepare: webhook, event: null },
  'POST /v1/webhooks/{id}/rotate-secret': { prepare: webhook, event: null },
  'POST /v1/webhooks/{id}/test': { prepare: webhook, event: null },
  'POST /v1/webhooks/{id}/deliveries/{delivery_id}/replay': {
    prepare: async (bed) => {
      const { caller, names } = await webhook(bed);
      return { caller, names: { ...names, delivery_id: await bed.idOf(caller, `/v1/webhooks/${names.id}/test`) } };
    },
    event: null,
  },
  [`POST ${CHANNEL}/incoming-webhooks`]: { prepare: ofOwner, other: { name: 'another' }, event: 'user.created' },
  [`POST ${CHANNEL}/incoming-webhooks/{webhook_id}/rotate-secret`]: { prepare: incoming, event: 'user.credential_revoked' },
  [`DELETE ${CHANNEL}/incoming-webhooks/{webhook_id}`]: { prepare: incoming, event: 'channel.member_removed' },
};
