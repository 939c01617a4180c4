import type { AuditAct } from '../../protocol/audit.ts';

/**
 * Every route of `/v1` that changes something: the act that it writes into the audit log in the transaction of the change, or why it writes none. A new route has to be put
 * into one of the two (`tests/audited-routes.test.ts`); whatever is done to others, or gives power, belongs into the first.
 */
export const AUDITED = {
  'POST /v1/channels/{id}/archive': 'channel.archived',
  'POST /v1/channels/{id}/unarchive': 'channel.unarchived',
  'POST /v1/channels/{id}/members': 'member.added',
  'PATCH /v1/channels/{id}/members/{user_id}': 'member.role_changed',
  'DELETE /v1/channels/{id}/members/{user_id}': 'member.removed',
  'DELETE /v1/files/{id}': 'file.removed',
  'DELETE /v1/me/credentials/{id}': 'credential.revoked',
  'POST /v1/me/revoke-others': 'credential.revoked',
  'POST /v1/me/tokens': 'credential.created',
  'POST /v1/admin/bots': 'bot.created',
  'POST /v1/admin/bots/{id}/tokens': 'credential.created',
  'POST /v1/admin/users/{id}/deactivate': 'user.deactivated',
  'POST /v1/admin/users/{id}/reactivate': 'user.reactivated',
  'POST /v1/admin/users/{id}/redact': 'user.redaction_requested',
  'PUT /v1/admin/users/{id}/role': 'user.role_changed',
  'PATCH /v1/admin/settings': 'settings.updated',
  'POST /v1/admin/restart-announcements': 'restart.announced',
  'PATCH /v1/admin/dead-letters/{id}': 'dead_letter.edited',
  'POST /v1/admin/dead-letter-redrives': 'dead_letter.redriven',
  'POST /v1/admin/dead-letter-discards': 'dead_letter.discarded',
  'POST /v1/channels/{id}/incoming-webhooks': 'webhook.created',
  'DELETE /v1/channels/{id}/incoming-webhooks/{webhook_id}': 'webhook.deleted',
  'POST /v1/channels/{id}/incoming-webhooks/{webhook_id}/rotate-secret': 'webhook.secret_rotated',
  'POST /v1/webhooks': 'webhook.created',
  'PATCH /v1/webhooks/{id}': 'webhook.updated',
  'DELETE /v1/webhooks/{id}': 'webhook.deleted',
  'POST /v1/webhooks/{id}/rotate-secret': 'webhook.secret_rotated',
  'POST /v1/admin/messages/{message_id}/remove': 'message.removal_ordered',
  'POST /v1/admin/reports/{id}/resolve': 'report.resolved',
} as const satisfies Record<string, AuditAct>;
export type AuditedRoute = keyof typeof AUDITED;

const CONVERSATION = 'conversation: the channel\'s own log says who did it';
const OWN = 'a setting of the caller\'s own';

export const NOT_AUDITED: Readonly<Record<string, string>> = {
  'POST /v1/channels': 'anybody may; its maker is in the channel, and in the outbox',
  'PUT /v1/channels/{id}/members/{user_id}': 'the caller joins by themselves; the channel\'s log says so',
  'POST /v1/channels/{id}/messages': CONVERSATION,
  'PATCH /v1/channels/{id}/messages/{message_id}': CONVERSATION,
  'DELETE /v1/channels/{id}/messages/{message_id}': CONVERSATION,
  'POST /v1/channels/{id}/message-batches': CONVERSATION,
  'PUT /v1/channels/{id}/messages/{message_id}/reactions/{emoji}': CONVERSATION,
  'DELETE /v1/channels/{id}/messages/{message_id}/reactions/{emoji}': CONVERSATION,
  'PUT /v1/channels/{id}/messages/{message_id}/pin': CONVERSATION,
  'DELETE /v1/channels/{id}/messages/{message_id}/pin': CONVERSATION,
  'POST /v1/files': CONVERSATION,
  'POST /v1/channels/{id}/messages/{message_id}/reports': 'the report itself says who made it',
  'PUT /v1/me/presence': OWN,
  'POST /v1/me/notifications/read': OWN,
  'PATCH /v1/me/notification-settings': OWN,
  'PATCH /v1/channels/{id}/notification-settings': OWN,
  'PUT /v1/channels/{id}/read-state': OWN,
  'PUT /v1/channels/{id}/messages/{message_id}/read-state': OWN,
  'PUT /v1/channels/{id}/messages/{message_id}/following': OWN,
  'DELETE /v1/channels/{id}/messages/{message_id}/following': OWN,
  'PUT /v1/me/drafts/{channel_id}': OWN,
  'DELETE /v1/me/drafts/{channel_id}': OWN,
  'PUT /v1/me/drafts/{channel_id}/{thread_id}': OWN,
  'DELETE /v1/me/drafts/{channel_id}/{thread_id}': OWN,
  'POST /v1/channels/{id}/scheduled-messages': CONVERSATION,
  'PATCH /v1/me/scheduled-messages/{id}': CONVERSATION,
  'DELETE /v1/me/scheduled-messages/{id}': CONVERSATION,
  'POST /v1/me/scheduled-messages/{id}/send-now': CONVERSATION,
  'POST /v1/socket-tickets': 'opens one socket of the caller\'s own within 30 s',
  'POST /v1/webhooks/{id}/test': 'its delivery is in the log of deliveries',
  'POST /v1/webhooks/{id}/deliveries/{delivery_id}/replay': 'its delivery is in the log of deliveries',
};
