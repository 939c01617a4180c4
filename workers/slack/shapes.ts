import type { ListedUser } from '../../db/queries/user-list.ts';
import type { Channel, DirectChannel, Message, User } from '../../protocol/api.ts';
import { isGeneral } from '../../protocol/general.ts';
import { nameOf } from './emoji.ts';
import { toMrkdwn } from './mrkdwn.ts';
import { tsOf, tsOfTime } from './ts.ts';

/** There is one workspace; Slack's ids of one begin with T. */
export const TEAM_ID = 'TCOLINK';

const seconds = (time: string): number => Math.floor(Date.parse(time) / 1_000);

/** Who is named in messages, and which authors are bots. */
export interface People {
  /** Ids by handle. */
  readonly ids: ReadonlyMap<string, string>;
  readonly bots: ReadonlySet<string>;
}

/** The root of a thread, where the message is of one. */
export interface Root {
  readonly ts: string;
  readonly author_id: string;
}

/** A message as Slack has it; null: there is nothing to see of it any more. */
export function slackMessage(message: Message, people: People, root: Root | null = null): Readonly<Record<string, unknown>> | null {
  const ts = tsOf(message);
  const thread = threadOf(message, ts, root);
  if (message.deleted_at !== null) {
    return message.reply_count > 0 ? { type: 'message', subtype: 'tombstone', user: 'USLACKBOT', text: 'This message was deleted.', hidden: true, ts, ...thread } : null;
  }
  const { author_id, client_msg_id, text, origin, edited_at, reactions, files } = message;
  return {
    type: 'message',
    user: author_id,
    ...(people.bots.has(author_id) && { bot_id: author_id }),
    team: TEAM_ID,
    client_msg_id,
    text: toMrkdwn(text, people.ids),
    ts,
    ...thread,
    ...(origin !== null && { username: origin.author }),
    ...(edited_at !== null && { edited: { user: author_id, ts: tsOfTime(edited_at) } }),
    ...(reactions.length > 0 && { reactions: reactions.map(({ emoji, user_ids }) => ({ name: nameOf(emoji), users: user_ids, count: user_ids.length })) }),
    ...(files !== undefined && { files: files.map(({ id, name, media_type, size }) => ({ id, name, title: name, mimetype: media_type, size })) }),
  };
}

function threadOf({ reply_count }: Message, ts: string, root: Root | null) {
  if (root !== null) return { thread_ts: root.ts, parent_user_id: root.author_id };
  return reply_count > 0 ? { thread_ts: ts, reply_count } : {};
}

/** A channel as Slack has it. */
export function slackChannel({ id, kind, name, topic, created_at, archived_at, my_role }: Channel): Readonly<Record<string, unknown>> {
  return {
    id,
    name,
    name_normalized: name.toLowerCase(),
    is_channel: true,
    is_group: false,
    is_im: false,
    is_mpim: false,
    is_private: kind === 'private',
    is_archived: archived_at !== null,
    is_general: isGeneral(name),
    is_member: my_role !== null,
    is_shared: false,
    is_org_shared: false,
    is_ext_shared: false,
    context_team_id: TEAM_ID,
    created: seconds(created_at),
    topic: { value: topic, creator: '', last_set: 0 },
    purpose: { value: '', creator: '', last_set: 0 },
  };
}

/** A direct channel as Slack has it: an `im` with the other one, or with oneself, and an `mpim` of more; `users`: its members, among others. */
export function slackDirect({ id, user_ids, created_at }: DirectChannel, me: string, users: readonly User[]): Readonly<Record<string, unknown>> {
  const common = { id, is_archived: false, is_org_shared: false, context_team_id: TEAM_ID, created: seconds(created_at) };
  if (user_ids.length <= 2) return { ...common, is_im: true, user: user_ids.find((user) => user !== me) ?? me };
  const handles = users.flatMap((user) => (user_ids.includes(user.id) ? [user.handle] : [])).toSorted();
  const name = `mpdm-${handles.join('--')}-1`;
  const told = { value: '', creator: '', last_set: 0 };
  return { ...common, name, name_normalized: name, is_channel: false, is_group: false, is_im: false, is_mpim: true, is_private: true, is_member: true, topic: told, purpose: told };
}

/** Slack's names of sizes, in pixels, up to that of the picture we have of each. They are as large as that, and not cut to a square. */
const IMAGES = [[[24, 32, 48, 72], '160'], [[192, 512], '480']] as const;

const imagesOf = (avatar: User['avatar'], origin: string): Readonly<Record<string, string>> =>
  avatar === null ? {} : Object.fromEntries(IMAGES.flatMap(([names, size]) => names.map((name) => [`image_${name}`, `${origin}${avatar.url}&size=${size}`])));

/** A user as Slack has it. `origin`: of this server, where pictures are. They ask for the token as everything does. */
export function slackUser({ id, handle, display_name, avatar, role, is_bot, deactivated, created_at }: ListedUser, origin: string): Readonly<Record<string, unknown>> {
  return {
    id,
    team_id: TEAM_ID,
    name: handle,
    real_name: display_name,
    deleted: deactivated,
    is_bot,
    is_app_user: false,
    is_admin: role === 'admin',
    is_owner: false,
    is_primary_owner: false,
    is_restricted: role === 'guest',
    is_ultra_restricted: false,
    updated: seconds(created_at),
    profile: { team: TEAM_ID, real_name: display_name, real_name_normalized: display_name, display_name, display_name_normalized: display_name, ...imagesOf(avatar, origin) },
  };
}
