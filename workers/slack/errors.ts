import { type ErrorCode, ERRORS, type Problem } from '../../protocol/errors.ts';

/**
 * Slack's word for each of Colink's errors, and the status it is answered with: 200 but where a client is to try again by itself (docs.slack.dev, "Web API: responses",
 * 2026-11). A method may have a better word for some (`Words`).
 */
const WORDS = {
  unreadable_body: { word: 'invalid_form_data', status: 200 },
  bad_cursor: { word: 'invalid_cursor', status: 200 },
  unauthenticated: { word: 'invalid_auth', status: 200 },
  forbidden: { word: 'restricted_action', status: 200 },
  not_a_member: { word: 'not_in_channel', status: 200 },
  edit_window_over: { word: 'edit_window_closed', status: 200 },
  limit_reached: { word: 'restricted_action', status: 200 },
  forged_origin: { word: 'restricted_action', status: 200 },
  not_found: { word: 'channel_not_found', status: 200 },
  method_not_allowed: { word: 'unknown_method', status: 200 },
  conflict: { word: 'restricted_action', status: 200 },
  channel_archived: { word: 'is_archived', status: 200 },
  idempotency_in_flight: { word: 'service_unavailable', status: 503 },
  file_not_clean: { word: 'file_not_found', status: 200 },
  file_infected: { word: 'file_not_found', status: 200 },
  length_required: { word: 'invalid_form_data', status: 200 },
  precondition_failed: { word: 'restricted_action', status: 200 },
  body_too_large: { word: 'msg_too_long', status: 200 },
  quota_exceeded: { word: 'restricted_action', status: 200 },
  unsupported_media_type: { word: 'invalid_post_type', status: 200 },
  range_not_satisfiable: { word: 'invalid_arguments', status: 200 },
  invalid: { word: 'invalid_arguments', status: 200 },
  idempotency_mismatch: { word: 'invalid_arguments', status: 200 },
  upgrade_required: { word: 'invalid_arguments', status: 200 },
  precondition_required: { word: 'invalid_arguments', status: 200 },
  rate_limited: { word: 'ratelimited', status: 429 },
  internal: { word: 'internal_error', status: 500 },
  unavailable: { word: 'service_unavailable', status: 503 },
  room_backlogged: { word: 'service_unavailable', status: 503 },
} as const satisfies Record<ErrorCode, { readonly word: string; readonly status: 200 | 429 | 500 | 503 }>;

/** What a method says instead. */
export type Words = Partial<Record<ErrorCode, SlackWord>>;
/** Words that stand for no error of Colink's own. */
type OwnWord =
  | 'account_inactive' | 'already_reacted' | 'cant_delete_message' | 'cant_update_message' | 'invalid_name' | 'invalid_ts_latest' | 'invalid_ts_oldest'
  | 'message_not_found' | 'missing_scope' | 'no_reaction' | 'no_text' | 'not_authed' | 'thread_not_found' | 'token_expired' | 'token_revoked' | 'too_many_users' | 'user_not_found'
  | 'users_list_not_supplied';
export type SlackWord = (typeof WORDS)[ErrorCode]['word'] | OwnWord;

/** A refusal in Slack's words; `more` are further fields of the answer. */
export class SlackError extends Error {
  override readonly name = 'SlackError';
  readonly word: SlackWord;
  readonly more: Readonly<Record<string, unknown>>;

  constructor(word: SlackWord, more: Readonly<Record<string, unknown>> = {}) {
    super(word);
    this.word = word;
    this.more = more;
  }
}

export interface SlackRefusal {
  readonly status: 200 | 429 | 500 | 503;
  readonly body: { readonly ok: false; readonly error: SlackWord; readonly response_metadata?: { readonly messages: readonly string[] } };
}

/** A problem as a method answers it. */
export function refusalOf({ code, detail, errors }: Problem, words: Words = {}): SlackRefusal {
  const { word, status } = WORDS[code];
  // One word stands for all that is wrong with arguments: which of them it was is said beside it.
  const said = detail ?? (code === 'idempotency_mismatch' ? `Idempotency-Key: ${ERRORS[code].title}` : undefined);
  const messages = [...(said === undefined ? [] : [said]), ...(errors ?? []).map((error) => `${error.pointer}: ${error.detail}`)].map((message) => `[ERROR] ${message}`);
  return { status, body: { ok: false, error: words[code] ?? word, ...(messages.length > 0 && { response_metadata: { messages } }) } };
}
