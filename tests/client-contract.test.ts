import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Api, createApi } from '../client/http.ts';
import openapi from '../openapi.json' with { type: 'json' };
import {
  anyChannelSchema,
  bootstrapSchema,
  channelPageSchema,
  channelSchema,
  directChannelPageSchema,
  directChannelSchema,
  filePageSchema,
  memberPageSchema,
  memberSchema,
  messagePageSchema,
  messagePlaceSchema,
  myPresenceSchema,
  notificationPageSchema,
  pinPageSchema,
  profileSchema,
  savedPageSchema,
  savedStateSchema,
  searchPageSchema,
  socketTicketSchema,
  userPageSchema,
} from '../protocol/api.ts';
import { credentialListSchema } from '../protocol/credentials.ts';
import { draftPageSchema, draftSchema } from '../protocol/drafts.ts';
import { emailSettingsSchema } from '../protocol/email.ts';
import { fileSchema } from '../protocol/files.ts';
import { commandResultSchema, readResultSchema } from '../protocol/frames.ts';
import { ownReportSchema } from '../protocol/moderation.ts';
import { channelNotificationSettingsSchema, notificationSettingsSchema } from '../protocol/notifications.ts';
import { pushSubscriptionListSchema, pushSubscriptionSchema } from '../protocol/push.ts';
import { scheduledMessagePageSchema, scheduledMessageSchema } from '../protocol/scheduled-messages.ts';
import { userSettingsSchema } from '../protocol/settings.ts';
import { followedThreadPageSchema, threadReadStateSchema, threadStateSchema } from '../protocol/threads.ts';
import { ApiDocument, type Operation, placeOf, pointerTo } from './support/api-document.ts';
import { operationsAt } from './support/contract.ts';

const document = new ApiDocument(openapi);
const [ID, OTHER, KEY] = ['0190a1b2-0000-7000-8000-00000000000a', '0190a1b2-0000-7000-8000-00000000000b', 'k'.repeat(32)];
const QUIET = { start_minute: 1_320, end_minute: 420, weekdays: [1, 2], time_zone: 'UTC' };
const KEYS = { p256dh: `B${'A'.repeat(86)}`, auth: 'A'.repeat(22) };

type Ask = (api: Api) => Promise<unknown>;
type Asking = { [K in keyof Api]: Api[K] extends (...args: never[]) => Promise<unknown> ? K : never }[keyof Api];
type Told<K extends Asking> = Awaited<ReturnType<Api[K]>>;
/** The compiler holds the client's type to this schema, and the test the document's answer. Null: the answer is empty. */
type Answer<T> = z.ZodType<T> | (unknown extends T ? null : never);

/** Every call there is: one more does not compile without its line. */
const CALLS: { readonly [K in Asking]: readonly [answer: Answer<Told<K>>, ask: Ask] } = {
  bootstrap: [bootstrapSchema, (api) => api.bootstrap()],
  me: [profileSchema, (api) => api.me()],
  changeProfile: [profileSchema, (api) => api.changeProfile(2, { display_name: 'Ada', title: '', pronouns: '' })],
  setAvatar: [profileSchema, (api) => api.setAvatar(ID)],
  removeAvatar: [null, (api) => api.removeAvatar()],
  users: [userPageSchema, (api) => api.users({ q: 'ada', cursor: 'c', limit: 5 })],
  user: [profileSchema, (api) => api.user(ID)],
  channels: [channelPageSchema, (api) => api.channels('c')],
  createChannel: [channelSchema, (api) => api.createChannel({ name: 'general', kind: 'public', topic: '', purpose: '' })],
  channel: [anyChannelSchema, (api) => api.channel(ID)],
  openDirectChannel: [directChannelSchema, (api) => api.openDirectChannel([ID])],
  directChannels: [directChannelPageSchema, (api) => api.directChannels('c')],
  closeDirectChannel: [null, (api) => api.closeDirectChannel(ID)],
  changeChannel: [channelSchema, (api) => api.changeChannel(ID, 2, { kind: 'private' })],
  members: [memberPageSchema, (api) => api.members(ID, 'c')],
  join: [memberSchema, (api) => api.join(ID)],
  leave: [null, (api) => api.leave(ID)],
  history: [messagePageSchema, (api) => api.history(ID, { before: 'c', limit: 5 })],
  replies: [messagePageSchema, (api) => api.replies(ID, OTHER, { after: 'c', limit: 5 })],
  send: [commandResultSchema, (api) => api.send(ID, { client_msg_id: 'a', text: 'hello', thread_id: OTHER, file_ids: [ID] })],
  threads: [followedThreadPageSchema, (api) => api.threads({ unread: 'true', cursor: 'c', limit: 5 })],
  thread: [threadStateSchema, (api) => api.thread(ID, OTHER)],
  follow: [threadStateSchema, (api) => api.follow(ID, OTHER)],
  unfollow: [threadStateSchema, (api) => api.unfollow(ID, OTHER)],
  markThreadRead: [threadReadStateSchema, (api) => api.markThreadRead(ID, OTHER, 3)],
  drafts: [draftPageSchema, (api) => api.drafts({ cursor: 'c', limit: 5 })],
  saveDraft: [draftSchema, (api) => api.saveDraft(ID, OTHER, { text: 'later' }, 1)],
  deleteDraft: [null, (api) => api.deleteDraft(ID, null, 1)],
  schedule: [scheduledMessageSchema, (api) => api.schedule(ID, { text: 'later', send_at: '2026-11-27T10:00:00.000Z' }, KEY)],
  scheduledMessages: [scheduledMessagePageSchema, (api) => api.scheduledMessages({ status: 'failed', channel_id: ID, cursor: 'c', limit: 5 })],
  changeScheduled: [scheduledMessageSchema, (api) => api.changeScheduled(ID, 1, { text: 'other' })],
  sendScheduledNow: [scheduledMessageSchema, (api) => api.sendScheduledNow(ID)],
  cancelScheduled: [null, (api) => api.cancelScheduled(ID)],
  edit: [commandResultSchema, (api) => api.edit(ID, OTHER, 'other')],
  remove: [commandResultSchema, (api) => api.remove(ID, OTHER)],
  react: [commandResultSchema, (api) => api.react(ID, OTHER, '👍')],
  unreact: [commandResultSchema, (api) => api.unreact(ID, OTHER, '👍')],
  pin: [commandResultSchema, (api) => api.pin(ID, OTHER)],
  unpin: [commandResultSchema, (api) => api.unpin(ID, OTHER)],
  removePreviews: [commandResultSchema, (api) => api.removePreviews(ID, OTHER)],
  report: [ownReportSchema, (api) => api.report(ID, OTHER, { reason: 'spam', comment: 'again' })],
  save: [savedStateSchema, (api) => api.save(ID)],
  unsave: [savedStateSchema, (api) => api.unsave(ID)],
  saved: [savedPageSchema, (api) => api.saved('c')],
  place: [messagePlaceSchema, (api) => api.place(ID)],
  pins: [pinPageSchema, (api) => api.pins(ID, 'c')],
  upload: [fileSchema, (api) => api.upload(ID, 'a.txt', new Blob(['a'], { type: 'text/plain' }), KEY)],
  file: [fileSchema, (api) => api.file(ID)],
  files: [filePageSchema, (api) => api.files(ID, 'c')],
  removeFile: [null, (api) => api.removeFile(ID)],
  markRead: [readResultSchema, (api) => api.markRead(ID, 3, 1)],
  markUnread: [readResultSchema, (api) => api.markUnread(ID, 3)],
  myPresence: [myPresenceSchema, (api) => api.myPresence()],
  choosePresence: [myPresenceSchema, (api) => api.choosePresence({ choice: 'away', status: null })],
  notifications: [notificationPageSchema, (api) => api.notifications({ unread: 'true', cursor: 'c', limit: 5 })],
  markNotificationsRead: [z.strictObject({ read_seq: z.number() }), (api) => api.markNotificationsRead(null)],
  pushSubscriptions: [pushSubscriptionListSchema, (api) => api.pushSubscriptions()],
  subscribePush: [pushSubscriptionSchema, (api) => api.subscribePush({ endpoint: 'https://push.example/a', keys: KEYS })],
  unsubscribePush: [null, (api) => api.unsubscribePush(ID)],
  settings: [userSettingsSchema, (api) => api.settings()],
  changeSettings: [userSettingsSchema, (api) => api.changeSettings(1, { theme: 'dark' })],
  notificationSettings: [notificationSettingsSchema, (api) => api.notificationSettings()],
  changeNotificationSettings: [notificationSettingsSchema, (api) => api.changeNotificationSettings(1, { level: 'all', keywords: ['engine'], quiet_hours: QUIET })],
  emailSettings: [emailSettingsSchema, (api) => api.emailSettings()],
  changeEmailSettings: [emailSettingsSchema, (api) => api.changeEmailSettings(1, { mode: 'daily' })],
  credentials: [credentialListSchema, (api) => api.credentials()],
  revokeCredential: [null, (api) => api.revokeCredential(ID)],
  channelNotificationSettings: [channelNotificationSettingsSchema, (api) => api.channelNotificationSettings(ID)],
  changeChannelNotificationSettings: [channelNotificationSettingsSchema, (api) => api.changeChannelNotificationSettings(ID, 1, { level: 'none' })],
  search: [searchPageSchema, (api) => api.search({ q: 'engine', cursor: 'c' })],
  socketTicket: [socketTicketSchema, (api) => api.socketTicket()],
  logout: [null, (api) => api.logout()],
};

/** What a call asks; it is answered with nothing. */
async function requestOf(ask: Ask): Promise<Request> {
  const asked: Request[] = [];
  const api = createApi({
    baseUrl: 'http://colink.test',
    token: 't',
    fetch: async (input, init) => {
      asked.push(new Request(input, init));
      return new Response(null, { status: 204 });
    },
  });
  await ask(api);
  const [request] = asked;
  if (request === undefined || asked.length > 1) throw new Error(`${asked.length} requests`);
  return request;
}

/** Headers that any request may have: who asks, and of what form. */
const COMMON = new Set(['accept', 'authorization', 'content-type']);

async function faultsOfRequest(operation: Operation, request: Request): Promise<string[]> {
  const given = [
    ...[...new URL(request.url).searchParams].map(([name, value]) => ({ place: 'query', name, value })),
    ...[...request.headers].filter(([name]) => !COMMON.has(name)).map(([name, value]) => ({ place: 'header', name, value })),
  ];
  const faults = given.flatMap(({ place, name, value }) => {
    const index = operation.parameters.findIndex((parameter) => parameter.in === place && parameter.name.toLowerCase() === name);
    if (index === -1) return [`${place} ${name} is not described`];
    const pointer = pointerTo(...placeOf(operation), 'parameters', String(index), 'schema');
    const faultsOfText = document.faults(pointer, value);
    return faultsOfText.length === 0 || document.faults(pointer, Number(value)).length === 0 ? [] : faultsOfText.map((fault) => `${name}: ${fault}`);
  });
  const type = request.headers.get('content-type') ?? '';
  const body = await request.text();
  if (type === '' && operation.requestBody === undefined) return faults;
  if (operation.requestBody?.content[type] === undefined && operation.requestBody?.content['*/*'] === undefined) return [...faults, `a body of type ${type} is not described`];
  return type === 'application/json' ? [...faults, ...document.faults(pointerTo(...placeOf(operation), 'requestBody', 'content', type, 'schema'), JSON.parse(body))] : faults;
}

describe('the client is of the document', () => {
  it.each(Object.entries(CALLS))('%s', async (_, [answer, ask]) => {
    const request = await requestOf(ask);
    const operation = operationsAt(document, new URL(request.url).pathname).find(({ method }) => method === request.method);
    if (operation === undefined) throw new Error(`${request.method} ${request.url} is not described`);
    expect(await faultsOfRequest(operation, request)).toEqual([]);
    const told = document.bodies.filter(({ name, type }) => name.startsWith(`${operation.operationId} 2`) && type === 'application/json');
    expect(told.length > 0).toBe(answer !== null);
    for (const body of told) expect(answer?.safeParse(document.exampleOf(body)).error).toBeUndefined();
  });
});
