import { uuidv7 } from 'uuidv7';
import { expect, it, vi } from 'vitest';
import { messagePageSchema, messageSchema } from '../../protocol/api.ts';
import type { FileNews } from '../../protocol/announcements.ts';
import { commandResultSchema } from '../../protocol/frames.ts';
import type { FileState } from '../../protocol/files.ts';
import { bodyOf, type Caller, drained, expectProblem, newCaller, newChannel, send } from '../api-fixture.ts';
import { fetchWith, newFile, setStatus } from '../file-fixture.ts';
import { type ApiSocket, bearer, channelSocket, liveEventsOf, openSocket } from '../socket-fixture.ts';

async function newMember(owner: Caller, channelId: string): Promise<Caller> {
  const member = await newCaller();
  expect((await owner.call('POST', `/v1/channels/${channelId}/members`, { user_id: member.user.id })).status).toBe(201);
  return member;
}

/** The first events that come, as soon as there are so many. */
const events = (socket: ApiSocket, count: number) =>
  vi.waitFor(() => {
    expect(liveEventsOf(socket).length).toBeGreaterThanOrEqual(count);
    return liveEventsOf(socket);
  }, 10_000);

async function readMessage(caller: Caller, channelId: string, messageId: string) {
  return bodyOf(await caller.call('GET', `/v1/channels/${channelId}/messages/${messageId}`), 200, messageSchema);
}

it('a message shows the files it was sent with, in their order, as they are now', async () => {
  const ada = await newCaller();
  const channel = await newChannel(ada, 'private');
  const [one, two] = [await newFile(ada, channel.id, 'one'), await newFile(ada, channel.id, 'two')];
  const bare = await send(ada, channel.id, 'without');
  const sent = await send(ada, channel.id, 'with', { client_msg_id: 'c', file_ids: [two.id, one.id] });
  await drained(channel.id, sent.seq ?? 0);
  await setStatus(one, 'clean');
  const message = await readMessage(ada, channel.id, sent.message_id);
  expect(message).toMatchObject({ file_ids: [two.id, one.id], files: [two, { ...one, status: 'clean' }] });
  const page = bodyOf(await ada.call('GET', `/v1/channels/${channel.id}/messages`), 200, messagePageSchema);
  expect(page.data.find(({ id }) => id === sent.message_id)).toEqual(message);
  for (const read of [await readMessage(ada, channel.id, bare.message_id), page.data.find(({ id }) => id === bare.message_id)]) expect(Object.keys(read ?? {})).not.toContain('files');

  expect(await send(ada, channel.id, 'with', { client_msg_id: 'c', file_ids: [two.id, one.id] })).toMatchObject({ message_id: sent.message_id });
  for (const other of [{ file_ids: [one.id, two.id] }, {}]) {
    expectProblem(await ada.call('POST', `/v1/channels/${channel.id}/messages`, { client_msg_id: 'c', text: 'with', ...other }), 'idempotency_mismatch');
  }
  expect((await ada.call('DELETE', `/v1/files/${two.id}`)).status).toBe(204);
  expect(await readMessage(ada, channel.id, sent.message_id)).toMatchObject({ file_ids: [two.id, one.id], files: [{ id: one.id }] });
  expect((await ada.call('DELETE', `/v1/channels/${channel.id}/messages/${sent.message_id}`)).status).toBe(200);
});

it('a message names files of its author, in its channel, at most ten, each once', async () => {
  const ada = await newCaller();
  const [channel, other] = [await newChannel(ada), await newChannel(ada)];
  const bob = await newMember(ada, channel.id);
  const [own, elsewhere, foreign, deleted] = [await newFile(ada, channel.id), await newFile(ada, other.id), await newFile(bob, channel.id), await newFile(ada, channel.id)];
  await ada.call('DELETE', `/v1/files/${deleted.id}`);
  const post = (file_ids: unknown) => ada.call('POST', `/v1/channels/${channel.id}/messages`, { client_msg_id: uuidv7(), text: 'x', file_ids });
  for (const bad of [elsewhere.id, foreign.id, deleted.id, uuidv7()]) {
    const refused = await post([own.id, bad]);
    expectProblem(refused, 'invalid');
    expect(refused.body).toMatchObject({ errors: [{ pointer: '/file_ids/1' }] });
  }
  for (const bad of [[], [own.id, own.id], Array.from({ length: 11 }, uuidv7), ['x'], own.id]) expectProblem(await post(bad), 'invalid');
  bodyOf(await post([own.id]), 201, commandResultSchema);
});

it('what a socket claims of other people\'s files tells nobody anything (G5)', async () => {
  const [ada, eve] = [await newCaller(), await newCaller()];
  const [hidden, channel] = [await newChannel(ada, 'private'), await newChannel(eve)];
  const secret = await newFile(ada, hidden.id, 'secret', { name: 'secret.txt' });
  await setStatus(secret, 'clean');
  const socket = await openSocket(channelSocket(channel.id), bearer(eve));
  socket.send({ type: 'send', id: '1', client_msg_id: 'c', text: 'look', file_ids: [secret.id, uuidv7()] });
  const [created] = await events(socket, 1);
  expect(created).toMatchObject({ type: 'message.created', file_ids: [secret.id, expect.any(String)] });
  await drained(channel.id, created?.seq ?? 0);
  const message = await readMessage(eve, channel.id, created?.type === 'message.created' ? created.message_id : '');
  expect(Object.keys(message)).not.toContain('files');
  expect(Object.keys(message)).not.toContain('file_ids');
  for (const path of ['', '/content', '/thumbnails/320']) expectProblem(await eve.call('GET', `/v1/files/${secret.id}${path}`), 'not_found');
});

it('a room announces what has become of a file, each change once (G2)', async () => {
  const ada = await newCaller();
  const channel = await newChannel(ada);
  const file = await newFile(ada, channel.id);
  const socket = await openSocket(channelSocket(channel.id), bearer(ada));
  const news = (version: number, status: FileNews['status'], thumbnails: FileState['thumbnails'] = []) => ({ event_id: uuidv7(), file_id: file.id, actor_id: ada.user.id, status, thumbnails, version });
  const announce = (files: readonly FileNews[]) =>
    fetchWith({ FLEET_TOKEN: 'secret' }, '/internal/announcements', {
      method: 'POST',
      headers: { Authorization: 'Bearer secret', 'Content-Type': 'application/json' },
      body: JSON.stringify({ data: [{ to: 'room', channel_id: channel.id, changes: [], revoked: [], channel: null, files }] }),
    });
  const [clean, gone] = [news(2, 'clean', [{ size: 320, width: 320, height: 200 }]), news(3, 'deleted')];
  for (const files of [[clean], [clean], [clean, gone], [gone, clean]]) expect(await (await announce(files)).json()).toEqual({ data: [{ status: 'told' }] });
  await send(ada, channel.id, 'after');
  expect(await events(socket, 3)).toMatchObject([
    { type: 'file.changed', seq: 1, id: clean.event_id, actor_id: ada.user.id, file_id: file.id, status: 'clean', thumbnails: clean.thumbnails },
    { type: 'file.changed', seq: 2, id: gone.event_id, status: 'deleted', thumbnails: [] },
    { type: 'message.created', seq: 3 },
  ]);
  await drained(channel.id, 3);
});
