import type {
  Avatar,
  Bootstrap,
  Channel,
  ChannelBody,
  DirectChannel,
  Member,
  MessagePage,
  MessagePlace,
  MyPresence,
  NotificationPage,
  PinPage,
  PresenceBody,
  Profile,
  ProfileBody,
  SavedPage,
  SavedState,
  SearchPage,
  User,
} from '../protocol/api.ts';
import { CONSISTENCY_HEADER, laterToken } from '../protocol/consistency.ts';
import type {
  ChannelNotificationSettings,
  ChannelNotificationSettingsBody,
  NotificationSettings,
  NotificationSettingsBody,
} from '../protocol/notifications.ts';
import type { NewPushSubscription, PushSubscriptionInfo, PushSubscriptionList } from '../protocol/push.ts';
import type { Draft, DraftBody, DraftPage } from '../protocol/drafts.ts';
import type { ProblemDocument } from '../protocol/errors.ts';
import type { CredentialList } from '../protocol/credentials.ts';
import type { EmailSettings, EmailSettingsBody } from '../protocol/email.ts';
import type { FileState } from '../protocol/files.ts';
import type { OwnReport, ReportBody } from '../protocol/moderation.ts';
import type { CommandResult, NoticesRead, ReadResult } from '../protocol/frames.ts';
import type { ScheduleBody, ScheduledMessage, ScheduledMessagePage, SchedulePatch, ScheduleStatus } from '../protocol/scheduled-messages.ts';
import type { UserSettings, UserSettingsBody } from '../protocol/settings.ts';
import type { FollowedThreadPage, ThreadState } from '../protocol/threads.ts';
import { NetworkError, ProblemError } from './errors.ts';
import { randomId } from './ports.ts';

const TIMEOUT_MS = 30_000;
/** How long reads ask for what the caller has changed, in milliseconds. A replica that is further behind is read by nobody. */
const CONSISTENT_MS = 60_000;
/** Longest that the server lets an upload take. */
const UPLOAD_MS = 15 * 60_000;

export interface HttpOptions {
  /** Where the API is, such as `https://chat.example.org`, without a slash at the end. */
  readonly baseUrl: string;
  /** A bearer token, or what gives the one that is valid now. Without it the browser's session cookie speaks. */
  readonly token?: string | (() => Promise<string>);
  readonly fetch?: typeof fetch;
}

/** One end of a page of history. `around` is a message id or a `pos`; the cursors are those of an earlier page. */
export interface PageQuery {
  readonly before?: string;
  readonly after?: string;
  readonly around?: string;
  /** 1 to 100; the server's default is 50. */
  readonly limit?: number;
}

export interface NewChannel {
  readonly name: string;
  readonly kind: 'public' | 'private';
  readonly topic: string;
  readonly purpose?: string;
}

interface List<T> {
  readonly data: T[];
  readonly next_cursor: string | null;
}

interface RequestOptions {
  readonly query?: Record<string, string | number | undefined>;
  readonly body?: unknown;
  /** A body as it is, of the media type it has itself, in place of JSON. */
  readonly content?: Blob;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
  /** The call goes on when the page that made it is gone. */
  readonly keepalive?: boolean;
}

export type Api = ReturnType<typeof createApi>;

/**
 * The API as typed calls. Each makes one attempt of at most 30 s and throws `ProblemError` or `NetworkError`; an aborted one throws
 * the signal's reason. Answers are taken at their type: this is the API's own client, and it bundles no schemas.
 */
export function createApi(options: HttpOptions) {
  const call = caller(options);
  const channel = (id: string) => `/v1/channels/${encodeURIComponent(id)}`;
  const message = (channelId: string, id: string) => `${channel(channelId)}/messages/${encodeURIComponent(id)}`;
  const following = (channelId: string, rootId: string) => `${message(channelId, rootId)}/following`;
  const draft = (channelId: string, rootId: string | null) => `/v1/me/drafts/${encodeURIComponent(channelId)}${rootId === null ? '' : `/${encodeURIComponent(rootId)}`}`;
  const scheduled = (id: string) => `/v1/me/scheduled-messages/${encodeURIComponent(id)}`;
  return {
    bootstrap: () => call<Bootstrap>('GET', '/v1/bootstrap'),
    /** The caller. */
    me: () => call<Profile>('GET', '/v1/me'),
    /** `version`: of the profile that is changed; another one by now is the problem `precondition_failed`. */
    changeProfile: (version: number, body: ProfileBody) => call<Profile>('PATCH', '/v1/me', { body, headers: ifMatch(version) }),
    /** A file that the caller has uploaded, and that is clean. */
    setAvatar: (fileId: string) => call<Profile>('PUT', '/v1/me/avatar', { body: { file_id: fileId } }),
    removeAvatar: () => call<unknown>('DELETE', '/v1/me/avatar'),
    avatarUrl: ({ url }: Avatar, size: 160 | 480 = 160) => `${options.baseUrl}${url}&size=${size}`,
    users: (query: { q?: string; cursor?: string; limit?: number } = {}) => call<List<Profile>>('GET', '/v1/users', { query }),
    user: (id: string) => call<Profile>('GET', `/v1/users/${encodeURIComponent(id)}`),
    channels: (cursor?: string) => call<List<Channel>>('GET', '/v1/channels', { query: { cursor } }),
    createChannel: (body: NewChannel) => call<Channel>('POST', '/v1/channels', { body, headers: { 'idempotency-key': randomId() } }),
    /** Of any kind. */
    channel: (id: string) => call<Channel | DirectChannel>('GET', channel(id)),
    /** The one of these users and the caller: made, or opened again. */
    openDirectChannel: (userIds: readonly string[]) =>
      call<DirectChannel>('POST', '/v1/direct-channels', { body: { user_ids: userIds }, headers: { 'idempotency-key': randomId() } }),
    directChannels: (cursor?: string) => call<List<DirectChannel> & { readonly users: User[] }>('GET', '/v1/direct-channels', { query: { cursor } }),
    /** It is not listed any more until there is a message. */
    closeDirectChannel: (id: string) => call<unknown>('DELETE', `/v1/direct-channels/${encodeURIComponent(id)}`),
    /** `version`: of the channel that is changed; another one by now is the problem `precondition_failed`. */
    changeChannel: (id: string, version: number, body: ChannelBody) => call<Channel>('PATCH', channel(id), { body, headers: ifMatch(version) }),
    members: (id: string, cursor?: string) => call<List<Member>>('GET', `${channel(id)}/members`, { query: { cursor } }),
    join: (id: string) => call<unknown>('PUT', `${channel(id)}/members/me`),
    leave: (id: string) => call<unknown>('DELETE', `${channel(id)}/members/me`),
    history: (id: string, query: PageQuery = {}) => call<MessagePage>('GET', `${channel(id)}/messages`, { query: { ...query } }),
    replies: (id: string, rootId: string, query: Omit<PageQuery, 'around'> = {}) =>
      call<MessagePage>('GET', `${message(id, rootId)}/replies`, { query: { ...query } }),
    send: (id: string, body: { client_msg_id: string; text: string; thread_id?: string; file_ids?: string[] }) =>
      call<CommandResult>('POST', `${channel(id)}/messages`, { body }),
    /** The threads that the caller follows, the newest reply first. */
    threads: (query: { unread?: 'true'; cursor?: string; limit?: number } = {}) => call<FollowedThreadPage>('GET', '/v1/me/threads', { query: { ...query } }),
    thread: (id: string, rootId: string) => call<ThreadState>('GET', following(id, rootId)),
    follow: (id: string, rootId: string) => call<ThreadState>('PUT', following(id, rootId)),
    unfollow: (id: string, rootId: string) => call<ThreadState>('DELETE', following(id, rootId)),
    markThreadRead: (id: string, rootId: string, tpos: number) => call<{ tpos: number }>('PUT', `${message(id, rootId)}/read-state`, { body: { tpos }, keepalive: true }),
    drafts: (query: { cursor?: string; limit?: number } = {}) => call<DraftPage>('GET', '/v1/me/drafts', { query: { ...query } }),
    /** Of a channel, or of a thread of it (null: of none). With a `version` only where that is the one there is (0: none): else the problem `precondition_failed`. */
    saveDraft: (id: string, rootId: string | null, body: DraftBody, version?: number) =>
      call<Draft>('PUT', draft(id, rootId), { body, keepalive: true, ...(version !== undefined && { headers: ifMatch(version) }) }),
    /** `version`: as of `saveDraft`. */
    deleteDraft: (id: string, rootId: string | null, version?: number) =>
      call<unknown>('DELETE', draft(id, rootId), { keepalive: true, ...(version !== undefined && { headers: ifMatch(version) }) }),
    /** Has a message sent later. The same `key` again schedules nothing again. */
    schedule: (id: string, body: ScheduleBody, key = randomId()) =>
      call<ScheduledMessage>('POST', `${channel(id)}/scheduled-messages`, { body, headers: { 'idempotency-key': key } }),
    scheduledMessages: (query: { status?: ScheduleStatus; channel_id?: string; cursor?: string; limit?: number } = {}) =>
      call<ScheduledMessagePage>('GET', '/v1/me/scheduled-messages', { query: { ...query } }),
    /** `version`: of what is changed; another one by now is the problem `precondition_failed`, and `conflict` if it is being sent. */
    changeScheduled: (id: string, version: number, body: SchedulePatch) => call<ScheduledMessage>('PATCH', scheduled(id), { body, headers: ifMatch(version) }),
    sendScheduledNow: (id: string) => call<ScheduledMessage>('POST', `${scheduled(id)}/send-now`),
    cancelScheduled: (id: string) => call<unknown>('DELETE', scheduled(id)),
    edit: (id: string, messageId: string, text: string) => call<CommandResult>('PATCH', message(id, messageId), { body: { text } }),
    remove: (id: string, messageId: string) => call<CommandResult>('DELETE', message(id, messageId)),
    react: (id: string, messageId: string, emoji: string) =>
      call<CommandResult>('PUT', `${message(id, messageId)}/reactions/${encodeURIComponent(emoji)}`),
    unreact: (id: string, messageId: string, emoji: string) =>
      call<CommandResult>('DELETE', `${message(id, messageId)}/reactions/${encodeURIComponent(emoji)}`),
    pin: (id: string, messageId: string) => call<CommandResult>('PUT', `${message(id, messageId)}/pin`),
    unpin: (id: string, messageId: string) => call<CommandResult>('DELETE', `${message(id, messageId)}/pin`),
    /** For good. For its author, and the owners and admins of the channel. */
    removePreviews: (id: string, messageId: string) => call<CommandResult>('DELETE', `${message(id, messageId)}/previews`),
    /** Tells those who moderate of a message of somebody else. Once: the report there is is answered again, whatever this one says. */
    report: (id: string, messageId: string, body: ReportBody) => call<OwnReport>('POST', `${message(id, messageId)}/reports`, { body }),
    save: (messageId: string) => call<SavedState>('PUT', `/v1/me/saved/${encodeURIComponent(messageId)}`),
    unsave: (messageId: string) => call<SavedState>('DELETE', `/v1/me/saved/${encodeURIComponent(messageId)}`),
    saved: (cursor?: string) => call<SavedPage>('GET', '/v1/me/saved', { query: { cursor } }),
    /** Where a message is that the caller may read. */
    place: (messageId: string) => call<MessagePlace>('GET', `/v1/messages/${encodeURIComponent(messageId)}`),
    /** The pinned messages, those pinned last first. */
    pins: (id: string, cursor?: string) => call<PinPage>('GET', `${channel(id)}/pins`, { query: { cursor } }),
    /** Uploads a file to a channel. The same `key` again is the same file. The content is served once `file.changed` says that it is clean. */
    upload: (channelId: string, name: string, content: Blob, key = randomId(), signal?: AbortSignal) =>
      call<FileState>('POST', '/v1/files', { query: { channel_id: channelId, name }, content, headers: { 'idempotency-key': key }, ...(signal && { signal }) }),
    file: (id: string) => call<FileState>('GET', `/v1/files/${encodeURIComponent(id)}`),
    files: (id: string, cursor?: string) => call<List<FileState>>('GET', `${channel(id)}/files`, { query: { cursor } }),
    removeFile: (id: string) => call<unknown>('DELETE', `/v1/files/${encodeURIComponent(id)}`),
    /** Where a clean file is, for a link; and a thumbnail of it. */
    contentUrl: (id: string) => `${options.baseUrl}/v1/files/${encodeURIComponent(id)}/content`,
    thumbnailUrl: (id: string, size: number) => `${options.baseUrl}/v1/files/${encodeURIComponent(id)}/thumbnails/${size}`,
    /** `generation`: as `InboxSession.markRead`. */
    markRead: (id: string, readPos: number, generation?: number) =>
      call<ReadResult>('PUT', `${channel(id)}/read-state`, { body: { read_pos: readPos, ...(generation !== undefined && { generation }) }, keepalive: true }),
    markUnread: (id: string, pos: number) => call<ReadResult>('POST', `${channel(id)}/mark-unread`, { body: { pos } }),
    myPresence: () => call<MyPresence>('GET', '/v1/me/presence'),
    /** What the caller is seen as; a `status` of null takes it back. */
    choosePresence: (body: PresenceBody) => call<MyPresence>('PUT', '/v1/me/presence', { body }),
    notifications: (query: { unread?: 'true'; cursor?: string; limit?: number } = {}) =>
      call<NotificationPage>('GET', '/v1/me/notifications', { query: { ...query } }),
    /** Up to this `seq`, or all (null). */
    markNotificationsRead: (readSeq: number | null) => call<NoticesRead>('POST', '/v1/me/notifications/read', { body: { read_seq: readSeq } }),
    /** And the key with which a browser subscribes; null: the server sends no pushes. */
    pushSubscriptions: () => call<PushSubscriptionList>('GET', '/v1/me/push-subscriptions'),
    /** Of this browser, which may be subscribed already. */
    subscribePush: (body: NewPushSubscription) => call<PushSubscriptionInfo>('PUT', '/v1/me/push-subscriptions', { body }),
    unsubscribePush: (id: string) => call<unknown>('DELETE', `/v1/me/push-subscriptions/${encodeURIComponent(id)}`),
    settings: () => call<UserSettings>('GET', '/v1/me/settings'),
    /** As `changeNotificationSettings`. */
    changeSettings: (version: number, body: UserSettingsBody) => call<UserSettings>('PATCH', '/v1/me/settings', { body, headers: ifMatch(version) }),
    notificationSettings: () => call<NotificationSettings>('GET', '/v1/me/notification-settings'),
    /** `version`: of the settings that are changed; another one by now is the problem `precondition_failed`. */
    changeNotificationSettings: (version: number, body: NotificationSettingsBody) =>
      call<NotificationSettings>('PATCH', '/v1/me/notification-settings', { body, headers: ifMatch(version) }),
    emailSettings: () => call<EmailSettings>('GET', '/v1/me/email-settings'),
    /** As `changeNotificationSettings`. */
    changeEmailSettings: (version: number, body: EmailSettingsBody) => call<EmailSettings>('PATCH', '/v1/me/email-settings', { body, headers: ifMatch(version) }),
    /** Where the caller is signed in, and their tokens. */
    credentials: () => call<CredentialList>('GET', '/v1/me/credentials'),
    /** Ends its access, live sockets included. */
    revokeCredential: (id: string) => call<unknown>('DELETE', `/v1/me/credentials/${encodeURIComponent(id)}`),
    channelNotificationSettings: (id: string) => call<ChannelNotificationSettings>('GET', `${channel(id)}/notification-settings`),
    changeChannelNotificationSettings: (id: string, version: number, body: ChannelNotificationSettingsBody) =>
      call<ChannelNotificationSettings>('PATCH', `${channel(id)}/notification-settings`, { body, headers: ifMatch(version) }),
    search: (query: { q: string; cursor?: string }, signal?: AbortSignal) =>
      call<SearchPage>('GET', '/v1/search/messages', { query: { ...query }, ...(signal && { signal }) }),
    socketTicket: () => call<{ ticket: string; expires_in: number }>('POST', '/v1/socket-tickets'),
    logout: () => call<unknown>('POST', '/auth/logout'),
    /** Where a channel's socket is; the cursor is appended by the connection. */
    socketUrl: (id: string) => new URL(`${channel(id)}/socket`, socketBase(options.baseUrl)),
    inboxUrl: () => new URL('/v1/me/socket', socketBase(options.baseUrl)),
  };
}

const ifMatch = (version: number): Record<string, string> => ({ 'if-match': `"${version}"` });

function caller({ baseUrl, token, fetch: send = fetch }: HttpOptions) {
  const consistency = new Consistency();
  return async <T>(method: string, path: string, { query, body, content, headers, signal, keepalive }: RequestOptions = {}): Promise<T> => {
    const timeout = AbortSignal.timeout(content === undefined ? TIMEOUT_MS : UPLOAD_MS);
    const bearer = typeof token === 'function' ? await token() : token;
    const request: RequestInit = {
      method,
      headers: {
        accept: 'application/json',
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(method === 'GET' && consistency.headers()),
        ...(content !== undefined && { 'content-type': content.type || 'application/octet-stream' }),
        ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(content !== undefined && { body: content }),
      ...(keepalive && { keepalive }),
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    };
    const { response, text } = await exchange(() => send(baseUrl + path + queryString(query), request), signal);
    consistency.note(response.headers);
    if (response.ok) return (text === '' ? undefined : parse(text)) as T;
    throw refusal(response, text);
  };
}

/** The newest change that this client has made. */
class Consistency {
  #token = '';
  #until = 0;

  /** An answer may be overtaken by that to a later change. */
  note(headers: Headers): void {
    const token = headers.get(CONSISTENCY_HEADER);
    if (token === null) return;
    this.#token = this.#isDue() ? laterToken(this.#token, token) : token;
    this.#until = Date.now() + CONSISTENT_MS;
  }

  headers(): Record<string, string> {
    return this.#isDue() ? { [CONSISTENCY_HEADER]: this.#token } : {};
  }

  #isDue(): boolean {
    return Date.now() < this.#until;
  }
}

async function exchange(send: () => Promise<Response>, signal?: AbortSignal) {
  try {
    const response = await send();
    return { response, text: await response.text() };
  } catch (cause) {
    signal?.throwIfAborted();
    throw new NetworkError('The server could not be reached', { cause });
  }
}

/** A gateway's own error page is no problem document: what became of the request is unknown then. */
function refusal(response: Response, text: string): ProblemError | NetworkError {
  const isProblem = response.headers.get('content-type')?.startsWith('application/problem+json');
  return isProblem ? new ProblemError(parse(text) as ProblemDocument) : new NetworkError(`The server answered ${response.status}`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new NetworkError('The answer is not readable JSON', { cause });
  }
}

function queryString(query: RequestOptions['query'] = {}): string {
  const present = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) present.set(name, String(value));
  return present.size === 0 ? '' : `?${present}`;
}

function socketBase(baseUrl: string): URL {
  const url = new URL(baseUrl);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url;
}
