const AT = '2026-11-26T10:00:00.000Z';
const ADA = { id: '0190a1b2-0000-7000-8000-00000000000a', handle: 'ada', display_name: 'Ada Lovelace', role: 'member', avatar: null };
const CHANNEL = { id: '0190a1b2-0000-7000-8000-00000000000c', kind: 'public', name: 'engine', topic: 'What it weaves', purpose: '', created_at: AT, archived_at: null, version: 1, my_role: 'owner' };
const MEMBER = { user: ADA, role: 'member', joined_at: AT };
const FILE = {
  id: '0190a1b2-0000-7000-8000-0000000000f1', channel_id: CHANNEL.id, uploader_id: ADA.id, name: 'engine.png', media_type: 'image/png', size: 20_480,
  sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', status: 'pending_scan', thumbnails: [], created_at: AT,
};
const MESSAGE = {
  id: '0190a1b2-0000-7000-8000-000000000001', channel_id: CHANNEL.id, seq: 9, pos: 7, thread_id: null, tpos: null, author_id: ADA.id, client_msg_id: 'hello-1',
  text: 'the engine weaves patterns', origin: null, revision: 1, created_at: AT, edited_at: null, deleted_at: null, reply_count: 0, reactions: [{ emoji: '👍', user_ids: [ADA.id] }],
};
const CREDENTIAL = {
  id: '0190a1b2-0000-7000-8000-0000000000c1', kind: 'personal', name: 'deploy script', scopes: ['messages:read', 'messages:write'], created_at: AT, last_used_at: null,
  expires_at: '2026-12-26T10:00:00.000Z', current: false,
};
const BOT = { user: { id: '0190a1b2-0000-7000-8000-0000000000b1', handle: 'deploy', display_name: 'Deploy bot', role: 'member', avatar: null }, owner_id: ADA.id, deactivated: false };
const LETTER = {
  id: '0190a1b2-0000-7000-8000-0000000000d1', status: 'pending', stage: 'consumer', group: 'search-indexer', topic: 'message.events', partition: 3, offset: '1042', key: CHANNEL.id,
  value_bytes: 412, error_class: 'ZodError', error_message: 'text must be a string', attempts: 4, first_failed_at: AT, last_failed_at: AT, edited: false, version: 1,
};
const RECORD = { key: { text: CHANNEL.id }, value: { text: '{"text":1}' }, headers: { ce_type: 'colink.message.created.v1' } };
const page = (...data: unknown[]) => ({ data, next_cursor: null });

/** One of each resource, as the document of the API tells their story; by the name of its schema there. */
export const RESOURCES: Readonly<Record<string, unknown>> = {
  Bot: BOT,
  BotList: { data: [BOT] },
  Bootstrap: { me: ADA, channels: [{ ...CHANNEL, epoch: 1, as_of_seq: 9, last_pos: 7, read_pos: 5 }], direct_channels: [], users: [ADA], inbox: { epoch: 1, as_of_seq: 4 } },
  BatchResult: { data: [{ message_id: MESSAGE.id, seq: 9, pos: 7, thread_id: null, tpos: null, at: AT, changed: true }] },
  Channel: CHANNEL,
  ChannelPage: page(CHANNEL),
  CredentialList: { data: [CREDENTIAL] },
  DeadLetter: LETTER,
  DeadLetterDetail: { ...LETTER, record: RECORD, redrives: RECORD, faults: ['/text: expected string'], acts: [] },
  DeadLetterPage: page(LETTER),
  DeadLetterStats: { data: [{ group: 'search-indexer', topic: 'message.events', error_class: 'ZodError', status: 'pending', letters: 2, oldest_failed_at: AT, newest_failed_at: AT }] },
  DiscardResult: { ids: [LETTER.id], remaining: 0 },
  File: FILE,
  FilePage: page(FILE),
  Member: MEMBER,
  MemberPage: page(MEMBER),
  Message: MESSAGE,
  MessagePage: { data: [MESSAGE], epoch: 1, as_of_seq: 9, before_cursor: null, after_cursor: null, users: [ADA] },
  MyPresence: { choice: 'dnd', status: { text: 'In a meeting', emoji: '📅', expires_at: '2026-11-26T11:00:00.000Z' }, version: 2 },
  NewToken: { ...CREDENTIAL, secret: 'colink_pat_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' },
  NotificationPage: {
    data: [{
      id: '0190a1b2-0000-7000-8000-0000000000e1', seq: 17, reason: 'mention', channel_id: CHANNEL.id, message_id: MESSAGE.id, author_id: ADA.id, pos: 7, thread_id: null,
      text: 'what do you think, @ada?', quiet: false, read: false, created_at: AT,
    }],
    next_cursor: null, read_seq: 16, users: [ADA],
  },
  RedriveResult: { ids: [LETTER.id], remaining: 0, unfit: 0, next_cursor: null },
  RestartAnnouncement: { objects: 3, sockets: 41, unreached: 0, next_cursor: null },
  Revoked: { revoked: 2 },
  SocketTicket: { ticket: '0190a1b2-0000-7000-8000-00000000000a.AAAAAAAAAAAAAAAAAAAAAA', expires_in: 30 },
  User: ADA,
};

const RESULT = { message_id: MESSAGE.id, seq: 10, pos: 7, thread_id: null, tpos: null, at: AT, changed: true };

/** Bodies of requests and answers whose schema has no name; `<operation> <status>`, or `<operation> body`, with the media type where there are several. */
export const BODIES: Readonly<Record<string, unknown>> = {
  'getHealth 200': { status: 'ok' },
  'getReady 200': { status: 'ready', postgres: 'ok' },
  'getReady 503': { status: 'unavailable', postgres: 'unavailable' },
  'getMetrics 200': '# TYPE colink_requests_total counter\ncolink_requests_total{route="/health"} 1\n',
  'postChannels body': { name: 'engine', kind: 'public', topic: 'What it weaves' },
  'postChannelsByIdMembers body': { user_id: ADA.id, role: 'member' },
  'patchChannelsByIdMembersByUserId body': { role: 'admin' },
  'postChannelsByIdMessages body': { client_msg_id: 'hello-1', text: 'the engine weaves patterns' },
  'postChannelsByIdMessages 201': RESULT,
  'patchChannelsByIdMessagesByMessageId body': { text: 'the engine weaves algebraic patterns' },
  'patchChannelsByIdMessagesByMessageId 200': RESULT,
  'deleteChannelsByIdMessagesByMessageId 200': RESULT,
  'postChannelsByIdMessageBatches body': { messages: [{ client_msg_id: 'irc-1', text: 'hello', origin: { source: 'irc', author: 'ada', sent_at: '2004-07-05T00:05:00Z' } }] },
  'putChannelsByIdMessagesByMessageIdReactionsByEmoji 200': RESULT,
  'deleteChannelsByIdMessagesByMessageIdReactionsByEmoji 200': RESULT,
  'putMePresence body': { choice: 'dnd', status: { text: 'In a meeting', emoji: '📅', expires_at: '2026-11-26T11:00:00.000Z' } },
  'postMeNotificationsRead 200': { read_seq: 17 },
  'postFiles body': 'the bytes of the file',
  'getFilesByIdContent 200': 'the bytes of the file',
  'getFilesByIdContent 206': 'the bytes',
  'getFilesByIdThumbnailsBySize 200': 'the bytes of the picture',
  'getUsersByIdAvatar 200': 'the bytes of the picture',
  'putChannelsByIdReadState body': { read_pos: 7 },
  'putChannelsByIdReadState 200': { read_pos: 7 },
  'postHooksIncomingByToken body application/x-www-form-urlencoded': { payload: '{"text":"the build is green"}' },
  'postMeRevokeOthers body': { tokens: true },
  'postMeTokens body': { name: CREDENTIAL.name, scopes: CREDENTIAL.scopes, expires_in_days: 30 },
  'postAdminBots body': { handle: BOT.user.handle, display_name: BOT.user.display_name },
  'postAdminBotsByIdTokens body': { name: 'production', scopes: CREDENTIAL.scopes, expires_in_days: 90 },
  'putAdminUsersByIdRole body': { role: 'moderator' },
  'postAdminRestartAnnouncements body': { within_seconds: 60 },
  'patchAdminDeadLettersById body': { value: '{"text":"1"}', reason: 'the text was a number' },
  'getAdminDeadLetterExport 200': `${JSON.stringify(LETTER)}\n`,
  'getAdminExport 200': `${JSON.stringify({ section: 'export', format: 'colink.export.v1', export_id: '0190a1b2-0000-7000-8000-0000000000e9', started_at: AT, include_private: false })}\n${JSON.stringify({ section: 'channel', data: { id: CHANNEL.id, name: CHANNEL.name } })}\n`,
  'postAdminDeadLetterRedrives body': { ids: [LETTER.id], dry_run: true },
  'postAdminDeadLetterDiscards body': { filter: { group: 'search-indexer' }, reason: 'written by a client that is gone' },
};
