/** Bounds of the wire. Each has an answer at the limit (guarantee G8). This file imports nothing, so that clients may bundle it. */

/** Longest message text, in UTF-16 code units. Longer: 422 `invalid`. */
export const MAX_TEXT = 10_000;
/**
 * The first and the last moment of a time that people give, in epoch milliseconds (0001-01-01 and 9999-12-31T23:59:59.999Z): the years that RFC 3339 can write and Postgres reads. What an offset or the end of a
 * span puts beyond them is they.
 */
export const FIRST_MOMENT_MS = -62_135_596_800_000;
export const LAST_MOMENT_MS = 253_402_300_799_999;
/** Longest `client_msg_id`, in ASCII characters. */
export const MAX_CLIENT_MSG_ID = 64;
/** Longest emoji name or sequence of a reaction, in UTF-16 code units. */
export const MAX_EMOJI = 64;
/** Longest channel name, topic and purpose, in UTF-16 code units. */
export const MAX_CHANNEL_NAME = 80;
export const MAX_TOPIC = 250;
export const MAX_PURPOSE = 250;
/** Longest displayed name, title and pronouns, and handle, in UTF-16 code units. */
export const MAX_DISPLAY_NAME = 80;
export const MAX_TITLE = 100;
export const MAX_PRONOUNS = 40;
export const MAX_HANDLE = 32;
/** Handles that a user may have had before. With so many theirs is changed no more: 409. */
export const MAX_FORMER_HANDLES = 10;
/** Longest `q` of the directory, in UTF-16 code units. */
export const MAX_PEOPLE_QUERY = 100;
/** Most channels of one invitation, its most uses, and the most that one user has open at a time. */
export const MAX_INVITATION_CHANNELS = 20;
export const MAX_INVITATION_USES = 1_000;
export const MAX_INVITATIONS = 100;
/** Shortest and longest life of an invitation, and that of one that says nothing, in seconds. */
export const MIN_INVITATION_SECONDS = 60;
export const MAX_INVITATION_SECONDS = 30 * 86_400;
export const INVITATION_SECONDS = 7 * 86_400;
/** Most members of a direct channel, whoever opens it among them. */
export const MAX_DIRECT_USERS = 9;
/** Most messages of one batch (`POST …/message-batches`). */
export const MAX_BATCH = 200;
/** Page size of listings: `limit` is 1 to 100. */
export const MAX_PAGE = 100;
export const DEFAULT_PAGE = 50;
/** Longest search query, in UTF-16 code units. */
export const MAX_QUERY = 500;
/** Largest request body in bytes; of a batch; and of one client frame. Larger: 413, or close 1009. */
export const MAX_BODY_BYTES = 64 * 1024;
export const MAX_BATCH_BODY_BYTES = 8 * 1024 * 1024;
/** And of one in Slack's form, in which a message takes up to three times its bytes. */
export const MAX_FORM_BODY_BYTES = 256 * 1024;
export const MAX_FRAME_BYTES = 64 * 1024;

/** Credit window of a socket: past this many unacknowledged events or bytes it is no longer pushed to. */
export const SOCKET_WINDOW_EVENTS = 1_000;
export const SOCKET_WINDOW_BYTES = 1024 * 1024;
/** Most events of one `events` frame. */
export const MAX_FRAME_EVENTS = 500;

/** Undrained events a room holds while Postgres is away; past either it answers 503 `room_backlogged`. */
export const MAX_UNDRAINED_EVENTS = 10_000;
export const MAX_UNDRAINED_BYTES = 16 * 1024 * 1024;

/**
 * Most events of a channel while the ids of its messages bear one millisecond; past it they bear the next one. So within a channel a message is known by the
 * millisecond of its id and its `seq` modulo this.
 */
export const MAX_EVENTS_PER_MS = 1_000;

/** Seconds between two client `ping`s; a socket silent for three is reaped. */
export const HEARTBEAT_SECONDS = 25;
/** Life of a socket ticket, in seconds. It serves once. */
export const TICKET_SECONDS = 30;
/** Longest life of the ticket in `welcome`, in seconds. It serves once too, and ends with its credential. */
export const NEXT_TICKET_SECONDS = 86_400;
/** Of the newest so many top-level messages of a channel, those that are unread are counted; who has read less far is told at most this. */
export const MAX_UNREAD = 1_000;
/** Days that `event_log` can be resumed from. */
export const RESUME_DAYS = 30;
/** Longest text of a custom status, in UTF-16 code units. */
export const MAX_STATUS_TEXT = 100;
/** Seconds before the end of its credential that a socket is told of it. */
export const AUTH_NOTICE_SECONDS = 60;
/** A socket's `typing` counts once in this time; and an entry that is not renewed ends after that. Seconds. */
export const TYPING_EVERY_SECONDS = 3;
export const TYPING_SECONDS = 5;
/** A user's presence is told at most once in this time, in seconds. */
export const PRESENCE_EVERY_SECONDS = 5;
/** Members of a channel up to which presence is told by name; past it, by number. */
export const MAX_PRESENCE_LIST = 200;
/** Longest window in which a server asks its clients to come back, in milliseconds. */
export const MAX_RECONNECT_MS = 120_000;
/** Longest name of a file, in UTF-16 code units. */
export const MAX_FILE_NAME = 255;
/** Most files of one message. */
export const MAX_MESSAGE_FILES = 10;
/** Largest thumbnail that the consumer fleet may store, in bytes. */
export const MAX_THUMBNAIL_BYTES = 2 * 1024 * 1024;
/** Messages that one user has saved for later. */
export const MAX_SAVED = 10_000;
/** Pinned messages of one channel. */
export const MAX_PINS = 100;
/** Keywords of one user; the longest, in UTF-16 code units; and the most words of one. */
export const MAX_KEYWORDS = 50;
export const MAX_KEYWORD = 50;
export const MAX_KEYWORD_WORDS = 8;
/** Keywords are looked for in the first so many words of a message. */
export const MAX_MATCHED_WORDS = 1_000;
/** Members of a channel up to which `@channel` and `@here` of any member but a guest notify; past it, those of its owners and admins. */
export const MAX_OPEN_BROADCAST = 200;
/** Links of one message that are looked up for a preview; the longest, and the longest title, description and name of a site in one, in UTF-16 code units. */
export const MAX_PREVIEWS = 3;
export const MAX_PREVIEW_URL = 2_048;
export const MAX_PREVIEW_TITLE = 300;
export const MAX_PREVIEW_DESCRIPTION = 500;
export const MAX_PREVIEW_SITE = 100;
/** Longest comment of who reports a message, and note of who judges it. */
export const MAX_MODERATION_COMMENT = 1_000;
/** How far ahead a message may be scheduled. Otherwise: 422. */
export const MIN_SCHEDULE_SECONDS = 5;
export const MAX_SCHEDULE_DAYS = 120;
/** Shortest and longest time that something is unread before it is mailed. */
export const MIN_AFTER_MINUTES = 5;
export const MAX_AFTER_MINUTES = 1_440;
