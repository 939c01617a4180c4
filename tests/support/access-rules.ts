/**
 * What a route asks of its caller, besides a live credential and the scopes that the document names for it:
 *
 * - `anybody`: no credential at all
 * - `caller`: nothing; it is about the caller's own things, and names nobody else's
 * - `owner`: it names a thing of the caller's own, or of a channel of theirs; of others' it answers as if there were none
 * - `viewer`: the channel is public and the caller no guest, or they are its member
 * - `reader`: the caller is a member of the channel
 * - `manager`: the caller is an owner or admin of the channel
 * - `moderator`: the caller's role is admin or moderator
 * - `administrator`: the caller's role is admin
 */
export type Rule = 'anybody' | 'caller' | 'owner' | 'viewer' | 'reader' | 'manager' | 'moderator' | 'administrator';

/** By name; each wins over the prefixes below. */
const NAMED: Readonly<Record<string, Rule>> = {
  'GET /v1/channels/{id}': 'viewer',
  'GET /v1/channels/{id}/members': 'viewer',
  'PATCH /v1/channels/{id}': 'manager',
  'PUT /v1/channels/{id}/members/{user_id}': 'viewer',
  'GET /v1/channels/{id}/incoming-webhooks': 'manager',
  'POST /v1/channels/{id}/incoming-webhooks': 'manager',
  'POST /v1/channels/{id}/incoming-webhooks/{webhook_id}/rotate-secret': 'manager',
  'DELETE /v1/channels/{id}/incoming-webhooks/{webhook_id}': 'manager',
  'POST /v1/channels/{id}/archive': 'manager',
  'POST /v1/channels/{id}/unarchive': 'manager',
  'POST /v1/channels/{id}/members': 'manager',
  'PATCH /v1/channels/{id}/members/{user_id}': 'manager',
  'DELETE /v1/channels/{id}/members/{user_id}': 'manager',
  'DELETE /v1/me/credentials/{id}': 'owner',
  'PUT /v1/me/saved/{message_id}': 'owner',
  // Of others' messages it says what it says of those that were never saved.
  'DELETE /v1/me/saved/{message_id}': 'caller',
  'POST /v1/admin/messages/{message_id}/remove': 'moderator',
  'GET /v1/admin/reports': 'moderator',
  'GET /v1/admin/reports/{id}': 'moderator',
  'POST /v1/admin/reports/{id}/resolve': 'moderator',
  'GET /v1/users/{id}': 'caller',
  'GET /v1/users/{id}/avatar': 'caller',
  'DELETE /v1/users/{id}/avatar': 'administrator',
};

/** Of somebody else's thing, too, where the caller's role is admin. */
export const OPEN_TO_ADMINISTRATORS: ReadonlySet<string> = new Set(['DELETE /v1/files/{id}', 'DELETE /v1/invitations/{id}']);

/** By the beginning of the path; the first that fits. */
const PREFIXES: readonly [prefix: string, rule: Rule][] = [
  ['/v1/admin/', 'administrator'],
  ['/v1/channels/{id}', 'reader'],
  ['/v1/direct-channels/{id}', 'owner'],
  ['/v1/invitations/{id}', 'owner'],
  ['/v1/files/{id}', 'owner'],
  ['/v1/me/drafts/{channel_id}', 'owner'],
  ['/v1/me/push-subscriptions/{id}', 'owner'],
  ['/v1/me/scheduled-messages/{id}', 'owner'],
  ['/v1/messages/{message_id}', 'owner'],
  ['/v1/webhooks/{id}', 'owner'],
  ['/v1/', 'caller'],
  ['/auth/', 'anybody'],
  // Its address is the secret.
  ['/hooks/', 'anybody'],
  // It answers as Slack does: 200, and why not.
  ['/slack/', 'anybody'],
  // Its signature is the credential.
  ['/unsubscribe/', 'anybody'],
  ['/health', 'anybody'],
  ['/ready', 'anybody'],
  ['/metrics', 'anybody'],
];

/** Undefined where nobody has said yet what a route asks: `{…}` within `/v1/` has to be told of here. */
export function ruleOf({ name, path }: { readonly name: string; readonly path: string }): Rule | undefined {
  const rule = NAMED[name] ?? PREFIXES.find(([prefix]) => path.startsWith(prefix))?.[1];
  return rule === 'caller' && path.includes('{') && NAMED[name] === undefined ? undefined : rule;
}
