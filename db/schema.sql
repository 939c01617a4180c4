-- What all migrations together make, without partitions. Written by a test, which also compares:
--   npx vitest run --project pg db/schema.pg.test.ts --update

CREATE EXTENSION pg_trgm;

CREATE TYPE drain_event AS (
  seq bigint,
  id uuid,
  type text,
  at timestamp with time zone,
  actor_id uuid,
  message_id uuid,
  client_msg_id text,
  text text,
  pos bigint,
  thread_id uuid,
  tpos bigint,
  origin jsonb,
  revision integer,
  emoji text,
  event jsonb
);

CREATE SEQUENCE event_log_position AS bigint START 1 INCREMENT 1 CACHE 1;

CREATE TABLE audit_intake (
  id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
  act text NOT NULL,
  actor_id uuid,
  actor_name text,
  credential_id uuid,
  target_kind text NOT NULL,
  target_id text,
  details json NOT NULL,
  request_id text,
  CONSTRAINT audit_intake_pkey PRIMARY KEY (id),
  CONSTRAINT audit_intake_act_check CHECK (act ~ '^[a-z_]{1,40}[.][a-z_]{1,40}$'::text),
  CONSTRAINT audit_intake_actor_name_check CHECK (octet_length(actor_name) <= 200),
  CONSTRAINT audit_intake_check CHECK (num_nonnulls(actor_id, actor_name) = 1),
  CONSTRAINT audit_intake_details_check CHECK (octet_length(details::text) <= 8192),
  CONSTRAINT audit_intake_request_id_check CHECK (octet_length(request_id) <= 100),
  CONSTRAINT audit_intake_target_id_check CHECK (octet_length(target_id) <= 100),
  CONSTRAINT audit_intake_target_kind_check CHECK (octet_length(target_kind) <= 40)
);

CREATE TABLE audit_log (
  seq bigint NOT NULL,
  at timestamp with time zone NOT NULL,
  act text NOT NULL,
  actor_id uuid,
  actor_name text,
  credential_id uuid,
  target_kind text NOT NULL,
  target_id text,
  details json NOT NULL,
  request_id text,
  previous_hash bytea NOT NULL,
  hash bytea NOT NULL,
  CONSTRAINT audit_log_pkey PRIMARY KEY (seq),
  CONSTRAINT audit_log_hash_check CHECK (octet_length(hash) = 32),
  CONSTRAINT audit_log_previous_hash_check CHECK (octet_length(previous_hash) = 32),
  CONSTRAINT audit_log_seq_check CHECK (seq > 0)
);

CREATE TABLE channel_notification_settings (
  channel_id uuid NOT NULL,
  user_id uuid NOT NULL,
  level text,
  muted_until timestamp with time zone,
  version integer DEFAULT 1 NOT NULL,
  CONSTRAINT channel_notification_settings_pkey PRIMARY KEY (channel_id, user_id),
  CONSTRAINT channel_notification_settings_level_check CHECK (level = ANY (ARRAY['all'::text, 'mentions'::text, 'none'::text]))
);

CREATE TABLE channels (
  id uuid NOT NULL,
  kind text NOT NULL,
  name text,
  topic text DEFAULT ''::text NOT NULL,
  created_by uuid NOT NULL,
  created_at timestamp with time zone DEFAULT now() NOT NULL,
  archived_at timestamp with time zone,
  version integer DEFAULT 1 NOT NULL,
  members_version bigint DEFAULT 0 NOT NULL,
  purpose text DEFAULT ''::text NOT NULL,
  direct_user_ids uuid[],
  CONSTRAINT channels_pkey PRIMARY KEY (id),
  CONSTRAINT channels_check CHECK ((kind = 'direct'::text) = (name IS NULL)),
  CONSTRAINT channels_direct_check CHECK ((kind = 'direct'::text) = (direct_user_ids IS NOT NULL) AND cardinality(direct_user_ids) >= 1 AND cardinality(direct_user_ids) <= 9),
  CONSTRAINT channels_kind_check CHECK (kind = ANY (ARRAY['public'::text, 'private'::text, 'direct'::text]))
);

CREATE TABLE consumer_groups (
  group_id text NOT NULL,
  started_at timestamp with time zone DEFAULT now() NOT NULL,
  CONSTRAINT consumer_groups_pkey PRIMARY KEY (group_id)
);

CREATE TABLE consumer_keys (
  group_id text NOT NULL,
  topic text NOT NULL,
  key uuid NOT NULL,
  "position" bigint NOT NULL,
  CONSTRAINT consumer_keys_pkey PRIMARY KEY (group_id, topic, key)
) WITH (fillfactor=50);

CREATE TABLE consumer_offsets (
  group_id text NOT NULL,
  topic text NOT NULL,
  partition integer NOT NULL,
  cursor text NOT NULL,
  updated_at timestamp with time zone DEFAULT now() NOT NULL,
  CONSTRAINT consumer_offsets_pkey PRIMARY KEY (group_id, topic, partition)
) WITH (fillfactor=50);

CREATE TABLE conversation_logs (
  channel_id uuid NOT NULL,
  epoch integer DEFAULT 1 NOT NULL,
  fence bigint DEFAULT 0 NOT NULL,
  drained_seq bigint DEFAULT 0 NOT NULL,
  drained_pos bigint DEFAULT 0 NOT NULL,
  drained_at timestamp with time zone,
  CONSTRAINT conversation_logs_pkey PRIMARY KEY (channel_id)
) WITH (fillfactor=50);

CREATE TABLE credentials (
  id uuid NOT NULL,
  secret_hash bytea NOT NULL,
  kind text NOT NULL,
  user_id uuid NOT NULL,
  name text NOT NULL,
  scopes text[] NOT NULL,
  created_at timestamp with time zone DEFAULT now() NOT NULL,
  expires_at timestamp with time zone NOT NULL,
  revoked_at timestamp with time zone,
  last_used_at timestamp with time zone,
  CONSTRAINT credentials_secret_hash_key UNIQUE (secret_hash),
  CONSTRAINT credentials_pkey PRIMARY KEY (id),
  CONSTRAINT credentials_kind_check CHECK (kind = ANY (ARRAY['session'::text, 'personal'::text, 'bot'::text, 'provider'::text]))
);

CREATE TABLE dead_letter_acts (
  id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
  dead_letter_id uuid NOT NULL,
  at timestamp with time zone DEFAULT now() NOT NULL,
  actor text NOT NULL,
  act text NOT NULL,
  reason text,
  detail jsonb DEFAULT '{}'::jsonb NOT NULL,
  CONSTRAINT dead_letter_acts_pkey PRIMARY KEY (id),
  CONSTRAINT dead_letter_acts_act_check CHECK (act = ANY (ARRAY['edit'::text, 'redrive'::text, 'discard'::text, 'succeed'::text, 'fail'::text]))
);

CREATE TABLE dead_letters (
  id uuid DEFAULT gen_random_uuid() NOT NULL,
  stage text NOT NULL,
  group_id text,
  topic text NOT NULL,
  partition integer,
  record_offset text,
  record_key bytea,
  record_value bytea,
  headers jsonb DEFAULT '{}'::jsonb NOT NULL,
  error_class text NOT NULL,
  error_message text NOT NULL,
  attempts integer NOT NULL,
  first_failed_at timestamp with time zone NOT NULL,
  last_failed_at timestamp with time zone NOT NULL,
  status text DEFAULT 'pending'::text NOT NULL,
  published_at timestamp with time zone,
  number bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
  version integer DEFAULT 1 NOT NULL,
  edited_key bytea,
  edited_value bytea,
  edited_headers jsonb,
  CONSTRAINT dead_letters_pkey PRIMARY KEY (id),
  CONSTRAINT dead_letters_stage_check CHECK (stage = ANY (ARRAY['drain'::text, 'consumer'::text])),
  CONSTRAINT dead_letters_status_check CHECK (status = ANY (ARRAY['pending'::text, 'redriving'::text, 'redriven'::text, 'discarded'::text]))
);

CREATE TABLE drafts (
  user_id uuid NOT NULL,
  channel_id uuid NOT NULL,
  thread_id uuid,
  text text NOT NULL,
  file_ids jsonb DEFAULT '[]'::jsonb NOT NULL,
  version bigint NOT NULL,
  updated_at timestamp with time zone NOT NULL,
  CONSTRAINT drafts_user_id_channel_id_thread_id_key UNIQUE NULLS NOT DISTINCT (user_id, channel_id, thread_id)
);

CREATE TABLE email_digests (
  user_id uuid NOT NULL,
  address text,
  mode text DEFAULT 'off'::text NOT NULL,
  after_minutes integer DEFAULT 15 NOT NULL,
  daily_hour smallint DEFAULT 8 NOT NULL,
  version integer DEFAULT 0 NOT NULL,
  mailed_seq bigint DEFAULT 0 NOT NULL,
  mailed_at timestamp with time zone,
  due_at timestamp with time zone,
  lease uuid,
  failures integer DEFAULT 0 NOT NULL,
  digest_id uuid,
  digest_seq bigint,
  CONSTRAINT email_digests_pkey PRIMARY KEY (user_id),
  CONSTRAINT email_digests_address_check CHECK (octet_length(address) <= 254),
  CONSTRAINT email_digests_after_minutes_check CHECK (after_minutes >= 5 AND after_minutes <= 1440),
  CONSTRAINT email_digests_check CHECK ((digest_id IS NULL) = (digest_seq IS NULL)),
  CONSTRAINT email_digests_daily_hour_check CHECK (daily_hour >= 0 AND daily_hour <= 23),
  CONSTRAINT email_digests_mode_check CHECK (mode = ANY (ARRAY['off'::text, 'after'::text, 'daily'::text]))
) WITH (fillfactor=80);

CREATE TABLE event_log (
  logged_at timestamp with time zone DEFAULT now() NOT NULL,
  "position" bigint DEFAULT nextval('event_log_position'::regclass) NOT NULL,
  xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
  topic text NOT NULL,
  key uuid NOT NULL,
  event_id uuid NOT NULL,
  type text NOT NULL,
  channel_seq bigint,
  data jsonb NOT NULL,
  traceparent text,
  CONSTRAINT event_log_pkey PRIMARY KEY ("position", logged_at)
) PARTITION BY RANGE (logged_at);

CREATE TABLE export_channels (
  export_id uuid NOT NULL,
  channel_id uuid NOT NULL,
  as_of_seq bigint NOT NULL,
  CONSTRAINT export_channels_pkey PRIMARY KEY (export_id, channel_id)
);

CREATE TABLE exports (
  id uuid NOT NULL,
  user_id uuid NOT NULL,
  include_private boolean NOT NULL,
  started_at timestamp with time zone NOT NULL,
  CONSTRAINT exports_pkey PRIMARY KEY (id)
);

CREATE TABLE file_scans (
  file_id uuid NOT NULL,
  state text DEFAULT 'waiting'::text NOT NULL,
  is_again boolean DEFAULT false NOT NULL,
  requested_at timestamp with time zone DEFAULT now() NOT NULL,
  due_at timestamp with time zone DEFAULT now() NOT NULL,
  lease uuid,
  attempts integer DEFAULT 0 NOT NULL,
  failure text,
  signature text,
  scanned_at timestamp with time zone,
  CONSTRAINT file_scans_pkey PRIMARY KEY (file_id),
  CONSTRAINT file_scans_state_check CHECK (state = ANY (ARRAY['waiting'::text, 'clean'::text, 'infected'::text, 'refused'::text]))
);

CREATE TABLE file_uploads (
  id uuid NOT NULL,
  user_id uuid NOT NULL,
  channel_id uuid NOT NULL,
  size bigint NOT NULL,
  idempotency_key text,
  started_at timestamp with time zone NOT NULL,
  abandoned_at timestamp with time zone,
  CONSTRAINT file_uploads_pkey PRIMARY KEY (id)
);

CREATE TABLE file_usage (
  user_id uuid NOT NULL,
  bytes bigint NOT NULL,
  CONSTRAINT file_usage_pkey PRIMARY KEY (user_id),
  CONSTRAINT file_usage_bytes_check CHECK (bytes >= 0)
) WITH (fillfactor=50);

CREATE TABLE files (
  id uuid NOT NULL,
  channel_id uuid NOT NULL,
  uploader_id uuid NOT NULL,
  name text NOT NULL,
  media_type text NOT NULL,
  size bigint NOT NULL,
  sha256 text NOT NULL,
  status text DEFAULT 'pending_scan'::text NOT NULL,
  thumbnails jsonb DEFAULT '[]'::jsonb NOT NULL,
  version integer DEFAULT 1 NOT NULL,
  created_at timestamp with time zone NOT NULL,
  deleted_at timestamp with time zone,
  purged_at timestamp with time zone,
  CONSTRAINT files_pkey PRIMARY KEY (id),
  CONSTRAINT files_size_check CHECK (size > 0),
  CONSTRAINT files_status_check CHECK (status = ANY (ARRAY['pending_scan'::text, 'clean'::text, 'infected'::text]))
);

CREATE TABLE former_handles (
  handle text NOT NULL,
  user_id uuid NOT NULL,
  given_up_at timestamp with time zone NOT NULL,
  CONSTRAINT former_handles_pkey PRIMARY KEY (handle)
);

CREATE TABLE former_members (
  channel_id uuid NOT NULL,
  user_id uuid NOT NULL,
  version bigint NOT NULL,
  CONSTRAINT former_members_pkey PRIMARY KEY (channel_id, user_id)
);

CREATE TABLE idempotency_keys (
  user_id uuid NOT NULL,
  method text NOT NULL,
  route text NOT NULL,
  key text NOT NULL,
  fingerprint bytea NOT NULL,
  status integer,
  body text,
  headers jsonb,
  created_at timestamp with time zone DEFAULT now() NOT NULL,
  CONSTRAINT idempotency_keys_pkey PRIMARY KEY (user_id, method, route, key)
);

CREATE TABLE inbox_logs (
  user_id uuid NOT NULL,
  epoch integer DEFAULT 1 NOT NULL,
  fence bigint DEFAULT 0 NOT NULL,
  drained_seq bigint DEFAULT 0 NOT NULL,
  drained_at timestamp with time zone,
  is_awake boolean DEFAULT false NOT NULL,
  awake_version bigint DEFAULT 0 NOT NULL,
  notices_read_seq bigint DEFAULT 0 NOT NULL,
  CONSTRAINT inbox_logs_pkey PRIMARY KEY (user_id)
) WITH (fillfactor=50);

CREATE TABLE incoming_webhooks (
  id uuid NOT NULL,
  channel_id uuid NOT NULL,
  bot_id uuid NOT NULL,
  credential_id uuid NOT NULL,
  created_by uuid NOT NULL,
  created_at timestamp with time zone NOT NULL,
  rotated_at timestamp with time zone,
  revoked_at timestamp with time zone,
  CONSTRAINT incoming_webhooks_pkey PRIMARY KEY (id)
);

CREATE TABLE invitation_channels (
  invitation_id uuid NOT NULL,
  channel_id uuid NOT NULL,
  CONSTRAINT invitation_channels_pkey PRIMARY KEY (invitation_id, channel_id)
);

CREATE TABLE invitation_uses (
  invitation_id uuid NOT NULL,
  user_id uuid NOT NULL,
  used_at timestamp with time zone NOT NULL,
  CONSTRAINT invitation_uses_pkey PRIMARY KEY (invitation_id, user_id)
);

CREATE TABLE invitations (
  id uuid NOT NULL,
  secret_hash bytea NOT NULL,
  created_by uuid NOT NULL,
  role text NOT NULL,
  max_uses integer NOT NULL,
  uses integer DEFAULT 0 NOT NULL,
  created_at timestamp with time zone NOT NULL,
  expires_at timestamp with time zone NOT NULL,
  revoked_at timestamp with time zone,
  CONSTRAINT invitations_secret_hash_key UNIQUE (secret_hash),
  CONSTRAINT invitations_pkey PRIMARY KEY (id),
  CONSTRAINT invitations_check CHECK (uses <= max_uses),
  CONSTRAINT invitations_max_uses_check CHECK (max_uses > 0),
  CONSTRAINT invitations_role_check CHECK (role = ANY (ARRAY['member'::text, 'guest'::text]))
);

CREATE TABLE link_messages (
  message_id uuid NOT NULL,
  channel_id uuid NOT NULL,
  author_id uuid NOT NULL,
  revision integer NOT NULL,
  urls text[] NOT NULL,
  noted_at timestamp with time zone DEFAULT now() NOT NULL,
  due_at timestamp with time zone DEFAULT now() NOT NULL,
  lease uuid,
  told integer DEFAULT 0 NOT NULL,
  CONSTRAINT link_messages_pkey PRIMARY KEY (message_id)
);

CREATE TABLE link_pages (
  url_hash bytea NOT NULL,
  url text,
  site text NOT NULL,
  state text DEFAULT 'waiting'::text NOT NULL,
  requested_at timestamp with time zone DEFAULT now() NOT NULL,
  due_at timestamp with time zone DEFAULT now() NOT NULL,
  lease uuid,
  attempts integer DEFAULT 0 NOT NULL,
  failure text,
  preview jsonb,
  expires_at timestamp with time zone,
  CONSTRAINT link_pages_pkey PRIMARY KEY (url_hash),
  CONSTRAINT link_pages_check CHECK ((state = 'waiting'::text) = (url IS NOT NULL)),
  CONSTRAINT link_pages_check1 CHECK ((state = 'found'::text) = (preview IS NOT NULL)),
  CONSTRAINT link_pages_check2 CHECK ((state = 'waiting'::text) = (expires_at IS NULL)),
  CONSTRAINT link_pages_state_check CHECK (state = ANY (ARRAY['waiting'::text, 'found'::text, 'none'::text])),
  CONSTRAINT link_pages_url_hash_check CHECK (octet_length(url_hash) = 32)
);

CREATE TABLE link_sites (
  site text NOT NULL,
  next_at timestamp with time zone DEFAULT now() NOT NULL,
  CONSTRAINT link_sites_pkey PRIMARY KEY (site)
) WITH (fillfactor=50);

CREATE TABLE members (
  channel_id uuid NOT NULL,
  user_id uuid NOT NULL,
  role text DEFAULT 'member'::text NOT NULL,
  version bigint NOT NULL,
  joined_at timestamp with time zone DEFAULT now() NOT NULL,
  closed_pos bigint,
  joined_pos bigint DEFAULT 0 NOT NULL,
  CONSTRAINT members_pkey PRIMARY KEY (channel_id, user_id),
  CONSTRAINT members_role_check CHECK (role = ANY (ARRAY['owner'::text, 'admin'::text, 'member'::text]))
);

CREATE TABLE message_files (
  message_id uuid NOT NULL,
  file_id uuid NOT NULL,
  place integer NOT NULL,
  CONSTRAINT message_files_pkey PRIMARY KEY (message_id, file_id)
);

CREATE TABLE message_previews (
  message_id uuid NOT NULL,
  channel_id uuid NOT NULL,
  revision integer NOT NULL,
  previews jsonb NOT NULL,
  removed_seq bigint,
  CONSTRAINT message_previews_pkey PRIMARY KEY (message_id)
);

CREATE TABLE message_removals (
  message_id uuid NOT NULL,
  event_id uuid NOT NULL,
  channel_id uuid NOT NULL,
  moderator_id uuid NOT NULL,
  reason text NOT NULL,
  ordered_at timestamp with time zone NOT NULL,
  CONSTRAINT message_removals_pkey PRIMARY KEY (message_id)
);

CREATE TABLE message_reports (
  id uuid NOT NULL,
  message_id uuid NOT NULL,
  channel_id uuid NOT NULL,
  author_id uuid NOT NULL,
  reporter_id uuid NOT NULL,
  reason text NOT NULL,
  comment text NOT NULL,
  snapshot text,
  created_at timestamp with time zone NOT NULL,
  resolved_at timestamp with time zone,
  resolved_by uuid,
  action text,
  note text,
  CONSTRAINT message_reports_pkey PRIMARY KEY (id),
  CONSTRAINT message_reports_action_check CHECK (action = ANY (ARRAY['dismiss'::text, 'remove_message'::text])),
  CONSTRAINT message_reports_check CHECK ((resolved_at IS NULL) = (action IS NULL)),
  CONSTRAINT message_reports_check1 CHECK (resolved_at IS NULL OR snapshot IS NULL),
  CONSTRAINT message_reports_reason_check CHECK (reason = ANY (ARRAY['spam'::text, 'harassment'::text, 'illegal'::text, 'sensitive'::text, 'other'::text]))
);

CREATE TABLE message_revisions (
  message_id uuid NOT NULL,
  revision integer NOT NULL,
  text text NOT NULL,
  written_at timestamp with time zone NOT NULL,
  CONSTRAINT message_revisions_pkey PRIMARY KEY (message_id, revision)
);

CREATE TABLE messages (
  id uuid NOT NULL,
  channel_id uuid NOT NULL,
  seq bigint NOT NULL,
  pos bigint,
  thread_id uuid,
  tpos bigint,
  author_id uuid NOT NULL,
  client_msg_id text NOT NULL,
  text text NOT NULL,
  origin jsonb,
  revision integer DEFAULT 1 NOT NULL,
  created_at timestamp with time zone NOT NULL,
  edited_at timestamp with time zone,
  deleted_at timestamp with time zone,
  CONSTRAINT messages_pkey PRIMARY KEY (id),
  CONSTRAINT messages_check CHECK ((thread_id IS NULL) = (pos IS NOT NULL)),
  CONSTRAINT messages_check1 CHECK ((thread_id IS NULL) = (tpos IS NULL))
) PARTITION BY RANGE (id);

CREATE TABLE notification_keywords (
  phrase text NOT NULL,
  user_id uuid NOT NULL,
  place smallint NOT NULL,
  keyword text NOT NULL,
  CONSTRAINT notification_keywords_pkey PRIMARY KEY (phrase, user_id)
);

CREATE TABLE notification_settings (
  user_id uuid NOT NULL,
  level text DEFAULT 'mentions'::text NOT NULL,
  quiet_start smallint,
  quiet_end smallint,
  quiet_zone text,
  quiet_weekdays smallint,
  version integer DEFAULT 1 NOT NULL,
  CONSTRAINT notification_settings_pkey PRIMARY KEY (user_id),
  CONSTRAINT notification_settings_check CHECK (num_nulls(quiet_start, quiet_end, quiet_zone, quiet_weekdays) = ANY (ARRAY[0, 4])),
  CONSTRAINT notification_settings_level_check CHECK (level = ANY (ARRAY['all'::text, 'mentions'::text, 'none'::text])),
  CONSTRAINT notification_settings_quiet_end_check CHECK (quiet_end >= 0 AND quiet_end <= 1439),
  CONSTRAINT notification_settings_quiet_start_check CHECK (quiet_start >= 0 AND quiet_start <= 1439),
  CONSTRAINT notification_settings_quiet_weekdays_check CHECK (quiet_weekdays >= 1 AND quiet_weekdays <= 127)
);

CREATE TABLE notifications (
  user_id uuid NOT NULL,
  seq bigint NOT NULL,
  id uuid NOT NULL,
  reason text NOT NULL,
  channel_id uuid NOT NULL,
  message_id uuid NOT NULL,
  author_id uuid NOT NULL,
  pos bigint,
  thread_id uuid,
  quiet boolean NOT NULL,
  created_at timestamp with time zone NOT NULL,
  CONSTRAINT notifications_pkey PRIMARY KEY (user_id, seq)
);

CREATE TABLE parked_keys (
  group_id text NOT NULL,
  topic text NOT NULL,
  key uuid NOT NULL,
  attempts integer NOT NULL,
  error_class text NOT NULL,
  error_message text NOT NULL,
  first_failed_at timestamp with time zone NOT NULL,
  last_failed_at timestamp with time zone NOT NULL,
  next_retry_at timestamp with time zone NOT NULL,
  CONSTRAINT parked_keys_pkey PRIMARY KEY (group_id, topic, key)
);

CREATE TABLE parked_records (
  id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
  group_id text NOT NULL,
  topic text NOT NULL,
  key uuid NOT NULL,
  partition integer NOT NULL,
  record_offset text NOT NULL,
  record_key bytea,
  record_value bytea,
  headers jsonb NOT NULL,
  "position" bigint GENERATED ALWAYS AS (((headers ->> 'log_position'::text))::bigint) STORED NOT NULL,
  dead_letter_id uuid,
  CONSTRAINT parked_records_pkey PRIMARY KEY (id)
);

CREATE TABLE pins (
  message_id uuid NOT NULL,
  channel_id uuid NOT NULL,
  pinned_by uuid NOT NULL,
  pinned_at timestamp with time zone NOT NULL,
  seq bigint NOT NULL,
  CONSTRAINT pins_pkey PRIMARY KEY (message_id)
);

CREATE TABLE push_subscriptions (
  id uuid NOT NULL,
  user_id uuid NOT NULL,
  credential_id uuid NOT NULL,
  endpoint text NOT NULL,
  host text NOT NULL,
  p256dh bytea NOT NULL,
  auth bytea NOT NULL,
  created_at timestamp with time zone NOT NULL,
  due_at timestamp with time zone,
  lease uuid,
  failures integer DEFAULT 0 NOT NULL,
  failing_since timestamp with time zone,
  CONSTRAINT push_subscriptions_pkey PRIMARY KEY (id),
  CONSTRAINT push_subscriptions_auth_check CHECK (octet_length(auth) = 16),
  CONSTRAINT push_subscriptions_endpoint_check CHECK (octet_length(endpoint) <= 1024),
  CONSTRAINT push_subscriptions_p256dh_check CHECK (octet_length(p256dh) = 65)
) WITH (fillfactor=80);

CREATE TABLE pushes (
  subscription_id uuid NOT NULL,
  notice_id uuid NOT NULL,
  notice_seq bigint NOT NULL,
  status text DEFAULT 'pending'::text NOT NULL,
  created_at timestamp with time zone NOT NULL,
  CONSTRAINT pushes_pkey PRIMARY KEY (subscription_id, notice_id),
  CONSTRAINT pushes_status_check CHECK (status = ANY (ARRAY['pending'::text, 'sent'::text, 'dropped'::text]))
);

CREATE TABLE reactions (
  message_id uuid NOT NULL,
  emoji text NOT NULL,
  user_id uuid NOT NULL,
  channel_id uuid NOT NULL,
  seq bigint NOT NULL,
  CONSTRAINT reactions_pkey PRIMARY KEY (message_id, emoji, user_id)
);

CREATE TABLE read_states (
  user_id uuid NOT NULL,
  channel_id uuid NOT NULL,
  read_pos bigint NOT NULL,
  updated_at timestamp with time zone DEFAULT now() NOT NULL,
  generation bigint DEFAULT 0 NOT NULL,
  CONSTRAINT read_states_pkey PRIMARY KEY (user_id, channel_id)
);

CREATE TABLE relay_states (
  shard integer NOT NULL,
  fence bigint DEFAULT 0 NOT NULL,
  base pg_snapshot NOT NULL,
  base_taken_at timestamp with time zone NOT NULL,
  target pg_snapshot,
  target_taken_at timestamp with time zone,
  after_position bigint DEFAULT 0 NOT NULL,
  updated_at timestamp with time zone DEFAULT now() NOT NULL,
  shards integer DEFAULT 1 NOT NULL,
  CONSTRAINT relay_states_pkey PRIMARY KEY (shard)
);

CREATE TABLE saved_lists (
  user_id uuid NOT NULL,
  size integer NOT NULL,
  version bigint NOT NULL,
  CONSTRAINT saved_lists_pkey PRIMARY KEY (user_id)
);

CREATE TABLE saved_messages (
  user_id uuid NOT NULL,
  message_id uuid NOT NULL,
  channel_id uuid NOT NULL,
  number bigint NOT NULL,
  saved_at timestamp with time zone NOT NULL,
  CONSTRAINT saved_messages_pkey PRIMARY KEY (user_id, message_id)
);

CREATE TABLE scheduled_messages (
  id uuid NOT NULL,
  author_id uuid NOT NULL,
  channel_id uuid NOT NULL,
  thread_id uuid,
  text text NOT NULL,
  file_ids jsonb DEFAULT '[]'::jsonb NOT NULL,
  send_at timestamp with time zone NOT NULL,
  status text DEFAULT 'pending'::text NOT NULL,
  failure text,
  message_id uuid,
  settled_at timestamp with time zone,
  due_at timestamp with time zone NOT NULL,
  lease uuid,
  attempts integer DEFAULT 0 NOT NULL,
  version integer DEFAULT 1 NOT NULL,
  created_at timestamp with time zone DEFAULT now() NOT NULL,
  CONSTRAINT scheduled_messages_pkey PRIMARY KEY (id),
  CONSTRAINT scheduled_messages_check CHECK ((status = 'failed'::text) = (failure IS NOT NULL)),
  CONSTRAINT scheduled_messages_check1 CHECK ((status = 'sent'::text) = (message_id IS NOT NULL)),
  CONSTRAINT scheduled_messages_check2 CHECK ((status = 'pending'::text) = (settled_at IS NULL)),
  CONSTRAINT scheduled_messages_failure_check CHECK (failure = ANY (ARRAY['channel_archived'::text, 'not_a_member'::text, 'author_deactivated'::text, 'thread_gone'::text, 'refused'::text])),
  CONSTRAINT scheduled_messages_status_check CHECK (status = ANY (ARRAY['pending'::text, 'sent'::text, 'failed'::text]))
);

CREATE TABLE search_files (
  id uuid NOT NULL,
  channel_id uuid NOT NULL,
  uploader_id uuid NOT NULL,
  name text NOT NULL,
  version integer NOT NULL,
  CONSTRAINT search_files_pkey PRIMARY KEY (id)
);

CREATE TABLE search_indexes (
  kind text NOT NULL,
  config text,
  CONSTRAINT search_indexes_pkey PRIMARY KEY (kind),
  CONSTRAINT search_indexes_kind_check CHECK (kind = ANY (ARRAY['messages'::text, 'people'::text, 'files'::text]))
);

CREATE TABLE search_messages (
  id uuid NOT NULL,
  channel_id uuid NOT NULL,
  author_id uuid NOT NULL,
  seq bigint NOT NULL,
  text text NOT NULL,
  tsv tsvector GENERATED ALWAYS AS (to_tsvector('simple'::regconfig, text)) STORED NOT NULL,
  CONSTRAINT search_messages_pkey PRIMARY KEY (id)
) PARTITION BY RANGE (id);

CREATE TABLE search_people (
  id uuid NOT NULL,
  handle text NOT NULL,
  display_name text NOT NULL,
  version integer NOT NULL,
  deactivated boolean NOT NULL,
  CONSTRAINT search_people_pkey PRIMARY KEY (id)
);

CREATE TABLE search_rebuild_changes (
  kind text NOT NULL,
  id uuid NOT NULL,
  CONSTRAINT search_rebuild_changes_pkey PRIMARY KEY (kind, id)
);

CREATE TABLE search_rebuilds (
  kind text NOT NULL,
  source text NOT NULL,
  config text,
  state text DEFAULT 'filling'::text NOT NULL,
  cursor text,
  filled bigint DEFAULT 0 NOT NULL,
  started_at timestamp with time zone DEFAULT now() NOT NULL,
  updated_at timestamp with time zone DEFAULT now() NOT NULL,
  CONSTRAINT search_rebuilds_pkey PRIMARY KEY (kind),
  CONSTRAINT search_rebuilds_source_check CHECK (source = ANY (ARRAY['postgres'::text, 'log'::text])),
  CONSTRAINT search_rebuilds_state_check CHECK (state = ANY (ARRAY['filling'::text, 'filled'::text, 'swapped'::text]))
);

CREATE TABLE thread_followers (
  root_id uuid NOT NULL,
  user_id uuid NOT NULL,
  channel_id uuid NOT NULL,
  auto_since bigint,
  choice text,
  choice_tpos bigint,
  choice_version integer DEFAULT 0 NOT NULL,
  renamed_tpos bigint,
  since_tpos bigint GENERATED ALWAYS AS (
CASE choice
    WHEN 'followed'::text THEN choice_tpos
    WHEN 'unfollowed'::text THEN (renamed_tpos - 1)
    ELSE auto_since
END) STORED,
  CONSTRAINT thread_followers_pkey PRIMARY KEY (root_id, user_id),
  CONSTRAINT thread_followers_check CHECK ((choice IS NULL) = (choice_tpos IS NULL)),
  CONSTRAINT thread_followers_choice_check CHECK (choice = ANY (ARRAY['followed'::text, 'unfollowed'::text]))
);

CREATE TABLE thread_read_states (
  user_id uuid NOT NULL,
  root_id uuid NOT NULL,
  channel_id uuid NOT NULL,
  read_tpos bigint NOT NULL,
  updated_at timestamp with time zone DEFAULT now() NOT NULL,
  CONSTRAINT thread_read_states_pkey PRIMARY KEY (user_id, root_id)
);

CREATE TABLE threads (
  root_id uuid NOT NULL,
  channel_id uuid NOT NULL,
  reply_count integer NOT NULL,
  last_tpos bigint NOT NULL,
  last_reply_at timestamp with time zone NOT NULL,
  CONSTRAINT threads_pkey PRIMARY KEY (root_id)
);

CREATE TABLE user_presence (
  user_id uuid NOT NULL,
  choice text NOT NULL,
  status_text text,
  status_emoji text,
  status_expires_at timestamp with time zone,
  version integer DEFAULT 1 NOT NULL,
  CONSTRAINT user_presence_pkey PRIMARY KEY (user_id),
  CONSTRAINT user_presence_check CHECK (status_text IS NOT NULL OR status_emoji IS NULL AND status_expires_at IS NULL),
  CONSTRAINT user_presence_choice_check CHECK (choice = ANY (ARRAY['auto'::text, 'away'::text, 'dnd'::text, 'offline'::text]))
);

CREATE TABLE user_settings (
  user_id uuid NOT NULL,
  theme text NOT NULL,
  time_format text NOT NULL,
  version integer DEFAULT 1 NOT NULL,
  CONSTRAINT user_settings_pkey PRIMARY KEY (user_id),
  CONSTRAINT user_settings_theme_check CHECK (theme = ANY (ARRAY['system'::text, 'light'::text, 'dark'::text])),
  CONSTRAINT user_settings_time_format_check CHECK (time_format = ANY (ARRAY['auto'::text, '12h'::text, '24h'::text]))
);

CREATE TABLE users (
  id uuid NOT NULL,
  issuer text NOT NULL,
  subject text NOT NULL,
  handle text NOT NULL,
  display_name text NOT NULL,
  role text DEFAULT 'member'::text NOT NULL,
  version integer DEFAULT 1 NOT NULL,
  created_at timestamp with time zone DEFAULT now() NOT NULL,
  deactivated_at timestamp with time zone,
  bot_owner_id uuid,
  title text DEFAULT ''::text NOT NULL,
  pronouns text DEFAULT ''::text NOT NULL,
  time_zone text,
  is_self_named boolean DEFAULT false NOT NULL,
  is_admitted boolean DEFAULT true NOT NULL,
  avatar_file_id uuid,
  CONSTRAINT users_handle_key UNIQUE (handle),
  CONSTRAINT users_issuer_subject_key UNIQUE (issuer, subject),
  CONSTRAINT users_pkey PRIMARY KEY (id),
  CONSTRAINT users_handle_check CHECK (handle = lower(handle)),
  CONSTRAINT users_role_check CHECK (role = ANY (ARRAY['admin'::text, 'moderator'::text, 'member'::text, 'guest'::text]))
);

CREATE TABLE webhook_deliveries (
  webhook_id uuid NOT NULL,
  event_id uuid NOT NULL,
  number bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
  status text DEFAULT 'pending'::text NOT NULL,
  attempts integer DEFAULT 0 NOT NULL,
  next_at timestamp with time zone DEFAULT now() NOT NULL,
  lease uuid,
  last_status integer,
  last_latency_ms integer,
  failure text,
  created_at timestamp with time zone DEFAULT now() NOT NULL,
  settled_at timestamp with time zone,
  CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (webhook_id, event_id),
  CONSTRAINT webhook_deliveries_status_check CHECK (status = ANY (ARRAY['pending'::text, 'delivered'::text, 'failed'::text, 'cancelled'::text]))
) WITH (fillfactor=80);

CREATE TABLE webhook_events (
  id uuid NOT NULL,
  type text NOT NULL,
  channel_id uuid,
  subject_id uuid,
  at timestamp with time zone NOT NULL,
  data jsonb NOT NULL,
  created_at timestamp with time zone DEFAULT now() NOT NULL,
  CONSTRAINT webhook_events_pkey PRIMARY KEY (id)
);

CREATE TABLE webhooks (
  id uuid NOT NULL,
  owner_id uuid NOT NULL,
  channel_id uuid,
  url text NOT NULL,
  host text NOT NULL,
  event_types text[] NOT NULL,
  description text DEFAULT ''::text NOT NULL,
  secret bytea NOT NULL,
  previous_secret bytea,
  previous_secret_until timestamp with time zone,
  state text DEFAULT 'enabled'::text NOT NULL,
  disabled_reason text,
  disabled_at timestamp with time zone,
  failing_since timestamp with time zone,
  failures integer DEFAULT 0 NOT NULL,
  blocked_until timestamp with time zone,
  deleted_at timestamp with time zone,
  created_at timestamp with time zone DEFAULT now() NOT NULL,
  version integer DEFAULT 1 NOT NULL,
  CONSTRAINT webhooks_pkey PRIMARY KEY (id),
  CONSTRAINT webhooks_check CHECK ((state = 'disabled'::text) = (disabled_reason IS NOT NULL)),
  CONSTRAINT webhooks_disabled_reason_check CHECK (disabled_reason = ANY (ARRAY['owner'::text, 'gone'::text, 'failing'::text, 'backlogged'::text, 'owner_deactivated'::text, 'deleted'::text])),
  CONSTRAINT webhooks_state_check CHECK (state = ANY (ARRAY['enabled'::text, 'disabled'::text]))
);

CREATE TABLE workspace_settings (
  id smallint DEFAULT 1 NOT NULL,
  edit_window_seconds integer DEFAULT 900,
  version integer DEFAULT 0 NOT NULL,
  CONSTRAINT workspace_settings_pkey PRIMARY KEY (id),
  CONSTRAINT workspace_settings_edit_window_seconds_check CHECK (edit_window_seconds >= 0),
  CONSTRAINT workspace_settings_id_check CHECK (id = 1)
);

ALTER TABLE channel_notification_settings ADD CONSTRAINT channel_notification_settings_channel_id_fkey FOREIGN KEY (channel_id) REFERENCES channels(id);

ALTER TABLE channel_notification_settings ADD CONSTRAINT channel_notification_settings_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id);

ALTER TABLE channels ADD CONSTRAINT channels_created_by_fkey FOREIGN KEY (created_by) REFERENCES users(id);

ALTER TABLE conversation_logs ADD CONSTRAINT conversation_logs_channel_id_fkey FOREIGN KEY (channel_id) REFERENCES channels(id);

ALTER TABLE credentials ADD CONSTRAINT credentials_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id);

ALTER TABLE drafts ADD CONSTRAINT drafts_channel_id_fkey FOREIGN KEY (channel_id) REFERENCES channels(id);

ALTER TABLE drafts ADD CONSTRAINT drafts_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id);

ALTER TABLE email_digests ADD CONSTRAINT email_digests_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id);

ALTER TABLE export_channels ADD CONSTRAINT export_channels_channel_id_fkey FOREIGN KEY (channel_id) REFERENCES channels(id);

ALTER TABLE export_channels ADD CONSTRAINT export_channels_export_id_fkey FOREIGN KEY (export_id) REFERENCES exports(id) ON DELETE CASCADE;

ALTER TABLE exports ADD CONSTRAINT exports_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id);

ALTER TABLE file_scans ADD CONSTRAINT file_scans_file_id_fkey FOREIGN KEY (file_id) REFERENCES files(id) ON DELETE CASCADE;

ALTER TABLE file_uploads ADD CONSTRAINT file_uploads_channel_id_fkey FOREIGN KEY (channel_id) REFERENCES channels(id);

ALTER TABLE file_uploads ADD CONSTRAINT file_uploads_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id);

ALTER TABLE files ADD CONSTRAINT files_channel_id_fkey FOREIGN KEY (channel_id) REFERENCES channels(id);

ALTER TABLE files ADD CONSTRAINT files_uploader_id_fkey FOREIGN KEY (uploader_id) REFERENCES users(id);

ALTER TABLE former_handles ADD CONSTRAINT former_handles_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id);

ALTER TABLE former_members ADD CONSTRAINT former_members_channel_id_fkey FOREIGN KEY (channel_id) REFERENCES channels(id);

ALTER TABLE former_members ADD CONSTRAINT former_members_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id);

ALTER TABLE inbox_logs ADD CONSTRAINT inbox_logs_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id);

ALTER TABLE incoming_webhooks ADD CONSTRAINT incoming_webhooks_bot_id_fkey FOREIGN KEY (bot_id) REFERENCES users(id);

ALTER TABLE incoming_webhooks ADD CONSTRAINT incoming_webhooks_channel_id_fkey FOREIGN KEY (channel_id) REFERENCES channels(id);

ALTER TABLE incoming_webhooks ADD CONSTRAINT incoming_webhooks_created_by_fkey FOREIGN KEY (created_by) REFERENCES users(id);

ALTER TABLE invitation_channels ADD CONSTRAINT invitation_channels_channel_id_fkey FOREIGN KEY (channel_id) REFERENCES channels(id);

ALTER TABLE invitation_channels ADD CONSTRAINT invitation_channels_invitation_id_fkey FOREIGN KEY (invitation_id) REFERENCES invitations(id) ON DELETE CASCADE;

ALTER TABLE invitation_uses ADD CONSTRAINT invitation_uses_invitation_id_fkey FOREIGN KEY (invitation_id) REFERENCES invitations(id) ON DELETE CASCADE;

ALTER TABLE invitation_uses ADD CONSTRAINT invitation_uses_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id);

ALTER TABLE invitations ADD CONSTRAINT invitations_created_by_fkey FOREIGN KEY (created_by) REFERENCES users(id);

ALTER TABLE members ADD CONSTRAINT members_channel_id_fkey FOREIGN KEY (channel_id) REFERENCES channels(id);

ALTER TABLE members ADD CONSTRAINT members_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id);

ALTER TABLE message_files ADD CONSTRAINT message_files_file_id_fkey FOREIGN KEY (file_id) REFERENCES files(id);

ALTER TABLE message_removals ADD CONSTRAINT message_removals_channel_id_fkey FOREIGN KEY (channel_id) REFERENCES channels(id);

ALTER TABLE message_removals ADD CONSTRAINT message_removals_moderator_id_fkey FOREIGN KEY (moderator_id) REFERENCES users(id);

ALTER TABLE message_reports ADD CONSTRAINT message_reports_author_id_fkey FOREIGN KEY (author_id) REFERENCES users(id);

ALTER TABLE message_reports ADD CONSTRAINT message_reports_channel_id_fkey FOREIGN KEY (channel_id) REFERENCES channels(id);

ALTER TABLE message_reports ADD CONSTRAINT message_reports_reporter_id_fkey FOREIGN KEY (reporter_id) REFERENCES users(id);

ALTER TABLE message_reports ADD CONSTRAINT message_reports_resolved_by_fkey FOREIGN KEY (resolved_by) REFERENCES users(id);

ALTER TABLE notification_keywords ADD CONSTRAINT notification_keywords_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id);

ALTER TABLE notification_settings ADD CONSTRAINT notification_settings_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id);

ALTER TABLE notifications ADD CONSTRAINT notifications_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id);

ALTER TABLE parked_records ADD CONSTRAINT parked_records_dead_letter_id_fkey FOREIGN KEY (dead_letter_id) REFERENCES dead_letters(id);

ALTER TABLE parked_records ADD CONSTRAINT parked_records_group_id_topic_key_fkey FOREIGN KEY (group_id, topic, key) REFERENCES parked_keys(group_id, topic, key) ON DELETE CASCADE;

ALTER TABLE push_subscriptions ADD CONSTRAINT push_subscriptions_credential_id_fkey FOREIGN KEY (credential_id) REFERENCES credentials(id) ON DELETE CASCADE;

ALTER TABLE push_subscriptions ADD CONSTRAINT push_subscriptions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id);

ALTER TABLE pushes ADD CONSTRAINT pushes_subscription_id_fkey FOREIGN KEY (subscription_id) REFERENCES push_subscriptions(id) ON DELETE CASCADE;

ALTER TABLE read_states ADD CONSTRAINT read_states_channel_id_fkey FOREIGN KEY (channel_id) REFERENCES channels(id);

ALTER TABLE read_states ADD CONSTRAINT read_states_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id);

ALTER TABLE saved_lists ADD CONSTRAINT saved_lists_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id);

ALTER TABLE saved_messages ADD CONSTRAINT saved_messages_user_id_fkey FOREIGN KEY (user_id) REFERENCES saved_lists(user_id);

ALTER TABLE scheduled_messages ADD CONSTRAINT scheduled_messages_author_id_fkey FOREIGN KEY (author_id) REFERENCES users(id);

ALTER TABLE scheduled_messages ADD CONSTRAINT scheduled_messages_channel_id_fkey FOREIGN KEY (channel_id) REFERENCES channels(id);

ALTER TABLE search_rebuilds ADD CONSTRAINT search_rebuilds_kind_fkey FOREIGN KEY (kind) REFERENCES search_indexes(kind);

ALTER TABLE user_presence ADD CONSTRAINT user_presence_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id);

ALTER TABLE user_settings ADD CONSTRAINT user_settings_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id);

ALTER TABLE users ADD CONSTRAINT users_avatar_file_id_fkey FOREIGN KEY (avatar_file_id) REFERENCES files(id);

ALTER TABLE users ADD CONSTRAINT users_bot_owner_id_fkey FOREIGN KEY (bot_owner_id) REFERENCES users(id);

ALTER TABLE webhook_deliveries ADD CONSTRAINT webhook_deliveries_webhook_id_fkey FOREIGN KEY (webhook_id) REFERENCES webhooks(id);

ALTER TABLE webhooks ADD CONSTRAINT webhooks_channel_id_fkey FOREIGN KEY (channel_id) REFERENCES channels(id);

ALTER TABLE webhooks ADD CONSTRAINT webhooks_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES users(id);

CREATE INDEX audit_log_act ON audit_log USING btree (act, seq);

CREATE INDEX audit_log_actor ON audit_log USING btree (actor_id, seq);

CREATE INDEX audit_log_at ON audit_log USING btree (at, seq);

CREATE INDEX audit_log_target ON audit_log USING btree (target_id, seq);

CREATE UNIQUE INDEX channels_direct ON channels USING btree (direct_user_ids);

CREATE UNIQUE INDEX channels_name ON channels USING btree (lower(name));

CREATE INDEX credentials_end ON credentials USING btree (expires_at);

CREATE INDEX credentials_user ON credentials USING btree (user_id);

CREATE INDEX dead_letter_acts_letter ON dead_letter_acts USING btree (dead_letter_id, id);

CREATE UNIQUE INDEX dead_letters_number ON dead_letters USING btree (number);

CREATE INDEX dead_letters_pending ON dead_letters USING btree (topic, group_id) WHERE status = 'pending'::text;

CREATE INDEX dead_letters_settled ON dead_letters USING btree (last_failed_at) WHERE status = ANY (ARRAY['redriven'::text, 'discarded'::text]);

CREATE INDEX dead_letters_unpublished ON dead_letters USING btree (last_failed_at) WHERE published_at IS NULL;

CREATE INDEX drafts_newest ON drafts USING btree (user_id, version);

CREATE INDEX email_digests_due ON email_digests USING btree (due_at) WHERE due_at IS NOT NULL;

CREATE INDEX event_log_relay ON event_log USING btree (xid, "position");

CREATE INDEX event_log_resume ON event_log USING btree (key, channel_seq) WHERE channel_seq IS NOT NULL;

CREATE INDEX file_scans_due ON file_scans USING btree (is_again, due_at) WHERE state = 'waiting'::text;

CREATE INDEX file_scans_notable ON file_scans USING btree (state, file_id) WHERE state = ANY (ARRAY['infected'::text, 'refused'::text]);

CREATE INDEX file_uploads_age ON file_uploads USING btree (started_at);

CREATE UNIQUE INDEX file_uploads_key ON file_uploads USING btree (user_id, idempotency_key) WHERE abandoned_at IS NULL;

CREATE INDEX files_channel ON files USING btree (channel_id, id) WHERE deleted_at IS NULL;

CREATE INDEX files_pending ON files USING btree (id) WHERE status = 'pending_scan'::text AND deleted_at IS NULL;

CREATE INDEX files_unpurged ON files USING btree (deleted_at) WHERE deleted_at IS NOT NULL AND purged_at IS NULL;

CREATE INDEX files_uploader ON files USING btree (uploader_id, id) WHERE deleted_at IS NULL;

CREATE INDEX former_handles_user ON former_handles USING btree (user_id);

CREATE INDEX idempotency_keys_age ON idempotency_keys USING btree (created_at);

CREATE INDEX incoming_webhooks_channel ON incoming_webhooks USING btree (channel_id, id) WHERE revoked_at IS NULL;

CREATE INDEX invitations_creator ON invitations USING btree (created_by, id);

CREATE INDEX link_messages_author ON link_messages USING btree (author_id);

CREATE INDEX link_messages_due ON link_messages USING btree (due_at);

CREATE INDEX link_pages_due ON link_pages USING btree (site, due_at) WHERE state = 'waiting'::text;

CREATE INDEX link_pages_expired ON link_pages USING btree (expires_at) WHERE state <> 'waiting'::text;

CREATE INDEX members_user ON members USING btree (user_id);

CREATE INDEX message_files_file ON message_files USING btree (file_id);

CREATE INDEX message_previews_channel ON message_previews USING btree (channel_id);

CREATE INDEX message_reports_author ON message_reports USING btree (author_id) WHERE snapshot IS NOT NULL;

CREATE UNIQUE INDEX message_reports_once ON message_reports USING btree (message_id, reporter_id);

CREATE INDEX message_reports_open ON message_reports USING btree (id) WHERE resolved_at IS NULL;

CREATE INDEX message_reports_reporter ON message_reports USING btree (reporter_id) WHERE resolved_at IS NULL;

CREATE INDEX message_reports_resolved ON message_reports USING btree (id) WHERE resolved_at IS NOT NULL;

CREATE INDEX messages_history ON messages USING btree (channel_id, pos) WHERE thread_id IS NULL;

CREATE INDEX messages_thread ON messages USING btree (thread_id, tpos) WHERE thread_id IS NOT NULL;

CREATE INDEX notification_keywords_user ON notification_keywords USING btree (user_id);

CREATE INDEX notifications_calls ON notifications USING btree (user_id, channel_id, pos) WHERE (reason = ANY (ARRAY['keyword'::text, 'channel_mention'::text])) AND pos IS NOT NULL;

CREATE INDEX parked_keys_due ON parked_keys USING btree (group_id, next_retry_at);

CREATE INDEX parked_records_key ON parked_records USING btree (group_id, topic, key, "position", id);

CREATE INDEX pins_channel ON pins USING btree (channel_id, seq);

CREATE INDEX push_subscriptions_credential ON push_subscriptions USING btree (credential_id);

CREATE INDEX push_subscriptions_due ON push_subscriptions USING btree (due_at) WHERE due_at IS NOT NULL;

CREATE UNIQUE INDEX push_subscriptions_endpoint ON push_subscriptions USING btree (endpoint);

CREATE INDEX push_subscriptions_user ON push_subscriptions USING btree (user_id, id);

CREATE INDEX pushes_age ON pushes USING btree (created_at);

CREATE INDEX pushes_waiting ON pushes USING btree (subscription_id, notice_seq) WHERE status = 'pending'::text;

CREATE INDEX reactions_channel ON reactions USING btree (channel_id);

CREATE UNIQUE INDEX saved_messages_list ON saved_messages USING btree (user_id, number);

CREATE INDEX scheduled_messages_author ON scheduled_messages USING btree (author_id, send_at, id);

CREATE INDEX scheduled_messages_due ON scheduled_messages USING btree (due_at, id) WHERE status = 'pending'::text;

CREATE INDEX scheduled_messages_order ON scheduled_messages USING btree (author_id, channel_id, send_at, id) WHERE status = 'pending'::text;

CREATE INDEX scheduled_messages_settled ON scheduled_messages USING btree (settled_at) WHERE status <> 'pending'::text;

CREATE INDEX search_files_channel ON search_files USING btree (channel_id, id);

CREATE INDEX search_files_trgm ON search_files USING gin (name gin_trgm_ops);

CREATE INDEX search_messages_trgm ON search_messages USING gin (text gin_trgm_ops);

CREATE INDEX search_messages_tsv ON search_messages USING gin (tsv);

CREATE INDEX search_people_trgm ON search_people USING gin (handle gin_trgm_ops, display_name gin_trgm_ops);

CREATE INDEX thread_followers_chosen ON thread_followers USING btree (user_id) WHERE choice IS NOT NULL;

CREATE INDEX thread_followers_user ON thread_followers USING btree (user_id, channel_id);

CREATE INDEX threads_channel ON threads USING btree (channel_id);

CREATE INDEX users_trgm ON users USING gin (handle gin_trgm_ops, display_name gin_trgm_ops);

CREATE INDEX webhook_deliveries_age ON webhook_deliveries USING btree (created_at);

CREATE INDEX webhook_deliveries_due ON webhook_deliveries USING btree (webhook_id, next_at) WHERE status = 'pending'::text;

CREATE UNIQUE INDEX webhook_deliveries_log ON webhook_deliveries USING btree (webhook_id, number);

CREATE INDEX webhook_events_age ON webhook_events USING btree (created_at);

CREATE INDEX webhooks_owner ON webhooks USING btree (owner_id, id);

CREATE OR REPLACE FUNCTION public.uuid_floor(at timestamp with time zone)
 RETURNS uuid
 LANGUAGE sql
 IMMUTABLE STRICT
AS $function$
  SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008000000000000000')::uuid
$function$;

CREATE OR REPLACE FUNCTION public.missing_partitions(p_months integer, p_days integer, p_since timestamp with time zone)
 RETURNS TABLE(parent text, child text, lower_bound text, upper_bound text)
 LANGUAGE sql
 STABLE
AS $function$
  WITH due AS (
    SELECT p.parent, format('%s_%s', p.parent, to_char(m.month, 'YYYY_MM')) AS child,
      uuid_floor(m.month AT TIME ZONE 'UTC')::text AS lower_bound, uuid_floor((m.month + interval '1 month') AT TIME ZONE 'UTC')::text AS upper_bound
    FROM unnest(ARRAY['messages', 'search_messages']) p (parent),
      generate_series(0, p_months) i, date_trunc('month', p_since AT TIME ZONE 'UTC') first,
      LATERAL (SELECT first + make_interval(months => i)) m (month)
    UNION ALL
    SELECT 'event_log', format('event_log_%s', to_char(d.day, 'YYYY_MM_DD')),
      (d.day AT TIME ZONE 'UTC')::text, ((d.day + interval '1 day') AT TIME ZONE 'UTC')::text
    FROM generate_series(0, p_days) i, date_trunc('day', p_since AT TIME ZONE 'UTC') first,
      LATERAL (SELECT first + make_interval(days => i)) d (day)
  )
  SELECT due.* FROM due
  WHERE NOT EXISTS (
    SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = due.parent::regclass AND c.relname = due.child)
$function$;

CREATE OR REPLACE FUNCTION public.audit_field(value text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
  SELECT coalesce(octet_length(value) || ':' || value, '-')
$function$;

CREATE OR REPLACE FUNCTION public.create_next_search_table(p_kind text, p_config text)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
DECLARE
  next text := 'search_' || p_kind || '_next';
BEGIN
  IF p_kind <> 'messages' THEN
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', next, 'search_' || p_kind);
    RETURN;
  END IF;
  EXECUTE format('CREATE TABLE search_messages_next (
      id uuid NOT NULL, channel_id uuid NOT NULL, author_id uuid NOT NULL, seq bigint NOT NULL, text text NOT NULL,
      tsv tsvector NOT NULL GENERATED ALWAYS AS (to_tsvector(%L::regconfig, text)) STORED, PRIMARY KEY (id)
    ) PARTITION BY RANGE (id)', p_config);
  CREATE INDEX search_messages_next_tsv ON search_messages_next USING gin (tsv);
  CREATE INDEX search_messages_next_trgm ON search_messages_next USING gin (text gin_trgm_ops);
  PERFORM mirror_search_partitions();
END $function$;

CREATE OR REPLACE FUNCTION public.drain_conversation(p_channel uuid, p_epoch integer, p_fence bigint, p_events jsonb)
 RETURNS TABLE(status text, drained_seq bigint)
 LANGUAGE plpgsql
AS $function$
DECLARE
  log conversation_logs;
  first_seq bigint := (p_events -> 0 ->> 'seq')::bigint;
  last_seq bigint := (p_events -> -1 ->> 'seq')::bigint;
  batch drain_event[];
  types text[];
  last_pos bigint;
  with_replies boolean;
  with_files boolean;
  contiguous boolean;
BEGIN
  SELECT l.* INTO log FROM conversation_logs l WHERE l.channel_id = p_channel FOR UPDATE;
  IF NOT FOUND THEN RETURN QUERY SELECT 'unknown', 0::bigint; RETURN; END IF;
  IF log.fence > p_fence OR log.epoch <> p_epoch THEN RETURN QUERY SELECT 'fenced', log.drained_seq; RETURN; END IF;
  IF first_seq > log.drained_seq + 1 THEN RETURN QUERY SELECT 'gap', log.drained_seq; RETURN; END IF;
  IF last_seq <= log.drained_seq OR p_events = '[]' THEN RETURN QUERY SELECT 'ok', log.drained_seq; RETURN; END IF;

  SELECT
    array_agg(ROW(e.seq, e.id, e.type, e.at, e.actor_id, e.message_id, e.client_msg_id, e.text, e.pos, e.thread_id, e.tpos, e.origin,
      e.revision, e.emoji, e.event)::drain_event ORDER BY e.n) FILTER (WHERE e.seq > log.drained_seq),
    array_agg(DISTINCT e.type), max(e.pos),
    bool_or(e.type = 'message.created' AND e.thread_id IS NOT NULL), bool_or(e.event ? 'file_ids'),
    bool_and(e.seq IS NOT DISTINCT FROM first_seq + e.n - 1)
  INTO batch, types, last_pos, with_replies, with_files, contiguous
  FROM ROWS FROM (
    jsonb_to_recordset(p_events) AS (seq bigint, id uuid, type text, at timestamptz, actor_id uuid, message_id uuid, client_msg_id text,
      text text, pos bigint, thread_id uuid, tpos bigint, origin jsonb, revision integer, emoji text),
    jsonb_array_elements(p_events)
  ) WITH ORDINALITY AS e (seq, id, type, at, actor_id, message_id, client_msg_id, text, pos, thread_id, tpos, origin, revision, emoji, event, n);
  IF NOT contiguous THEN RETURN QUERY SELECT 'gap', log.drained_seq; RETURN; END IF;

  IF 'message.created' = ANY (types) THEN PERFORM project_created(p_channel, batch); END IF;
  IF with_replies THEN PERFORM project_replies(p_channel, batch); END IF;
  IF with_files THEN PERFORM project_files(p_channel, batch); END IF;
  IF 'message.edited' = ANY (types) THEN PERFORM project_edited(batch); END IF;
  IF types && ARRAY['message.pinned', 'message.unpinned'] THEN PERFORM project_pins(p_channel, batch); END IF;
  IF types && ARRAY['message.previewed', 'message.previews_removed', 'message.edited'] THEN PERFORM project_previews(p_channel, batch); END IF;
  IF 'message.deleted' = ANY (types) THEN PERFORM project_deleted(batch); END IF;
  IF types && ARRAY['reaction.added', 'reaction.removed'] THEN PERFORM project_reactions(p_channel, batch); END IF;

  INSERT INTO event_log (topic, key, event_id, type, channel_seq, data)
  SELECT 'message.events', p_channel, b.id, 'colink.' || b.type || '.v1', b.seq, b.event FROM unnest(batch) b;

  UPDATE conversation_logs l
  SET fence = p_fence, drained_seq = last_seq, drained_pos = greatest(last_pos, l.drained_pos), drained_at = now()
  WHERE l.channel_id = p_channel;
  RETURN QUERY SELECT 'ok', last_seq;
END $function$;

CREATE OR REPLACE FUNCTION public.drain_inbox(p_user uuid, p_epoch integer, p_fence bigint, p_events jsonb)
 RETURNS TABLE(status text, drained_seq bigint)
 LANGUAGE plpgsql
AS $function$
DECLARE
  log inbox_logs;
  first_seq bigint := (p_events -> 0 ->> 'seq')::bigint;
  last_seq bigint := (p_events -> -1 ->> 'seq')::bigint;
BEGIN
  SELECT l.* INTO log FROM inbox_logs l WHERE l.user_id = p_user FOR UPDATE;
  IF NOT FOUND THEN RETURN QUERY SELECT 'unknown', 0::bigint; RETURN; END IF;
  IF log.fence > p_fence OR log.epoch <> p_epoch THEN RETURN QUERY SELECT 'fenced', log.drained_seq; RETURN; END IF;
  IF first_seq > log.drained_seq + 1 OR last_seq <> first_seq + jsonb_array_length(p_events) - 1 THEN
    RETURN QUERY SELECT 'gap', log.drained_seq; RETURN;
  END IF;
  IF last_seq <= log.drained_seq OR p_events = '[]' THEN RETURN QUERY SELECT 'ok', log.drained_seq; RETURN; END IF;

  INSERT INTO read_states AS r (user_id, channel_id, generation, read_pos, updated_at)
  SELECT DISTINCT ON (c.id) p_user, c.id, coalesce((e.value ->> 'generation')::bigint, 0), (e.value ->> 'read_pos')::bigint, (e.value ->> 'at')::timestamptz
  FROM jsonb_array_elements(p_events) e JOIN channels c ON c.id = (e.value ->> 'channel_id')::uuid
  WHERE e.value ->> 'type' = 'read.moved' AND (e.value ->> 'seq')::bigint > log.drained_seq
  ORDER BY c.id, 3 DESC, 4 DESC
  ON CONFLICT (user_id, channel_id) DO UPDATE SET generation = excluded.generation, read_pos = excluded.read_pos, updated_at = excluded.updated_at
  WHERE (r.generation, r.read_pos) < (excluded.generation, excluded.read_pos);

  PERFORM project_notices(p_user, log.drained_seq, p_events);
  -- Now and then: what goes is far behind what anybody looks at.
  IF last_seq / 100 > log.drained_seq / 100 THEN
    DELETE FROM notifications n WHERE n.user_id = p_user AND n.seq <= (
      SELECT o.seq FROM notifications o WHERE o.user_id = p_user ORDER BY o.seq DESC OFFSET 1000 LIMIT 1);
  END IF;

  INSERT INTO event_log (topic, key, event_id, type, channel_seq, data)
  SELECT 'user.events', p_user, (e.value ->> 'id')::uuid, 'colink.' || (e.value ->> 'type') || '.v1', (e.value ->> 'seq')::bigint, e.value
  FROM jsonb_array_elements(p_events) WITH ORDINALITY e (value, n)
  WHERE (e.value ->> 'seq')::bigint > log.drained_seq ORDER BY e.n;

  UPDATE inbox_logs l SET fence = p_fence, drained_seq = last_seq, drained_at = now(), notices_read_seq = greatest(l.notices_read_seq,
    (SELECT max((e.value ->> 'read_seq')::bigint) FROM jsonb_array_elements(p_events) e WHERE e.value ->> 'type' = 'notices.read'))
  WHERE l.user_id = p_user;
  RETURN QUERY SELECT 'ok', last_seq;
END $function$;

CREATE OR REPLACE FUNCTION public.drain_traced_conversation(p_channel uuid, p_epoch integer, p_fence bigint, p_events jsonb, p_traces jsonb)
 RETURNS TABLE(status text, drained_seq bigint)
 LANGUAGE plpgsql
AS $function$
BEGIN
  RETURN QUERY SELECT d.status, d.drained_seq FROM drain_conversation(p_channel, p_epoch, p_fence, p_events) d;
  PERFORM trace_events('message.events', p_channel, p_traces);
END $function$;

CREATE OR REPLACE FUNCTION public.drain_traced_inbox(p_user uuid, p_epoch integer, p_fence bigint, p_events jsonb, p_traces jsonb)
 RETURNS TABLE(status text, drained_seq bigint)
 LANGUAGE plpgsql
AS $function$
BEGIN
  RETURN QUERY SELECT d.status, d.drained_seq FROM drain_inbox(p_user, p_epoch, p_fence, p_events) d;
  PERFORM trace_events('user.events', p_user, p_traces);
END $function$;

CREATE OR REPLACE FUNCTION public.is_rebuilding(p_kind text)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  SELECT EXISTS (SELECT FROM search_rebuilds r WHERE r.kind = p_kind AND r.state <> 'swapped' AND r.updated_at > now() - interval '1 day')
$function$;

CREATE OR REPLACE FUNCTION public.mentioned_handles(p_text text)
 RETURNS text[]
 LANGUAGE sql
 IMMUTABLE STRICT
AS $function$
  SELECT coalesce(array_agg(DISTINCT lower(m[1])), '{}')
  FROM regexp_matches(p_text, '(?:^|[^A-Za-z0-9@._-])@([A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?)(?![A-Za-z0-9])', 'g') m
$function$;

CREATE OR REPLACE FUNCTION public.mirror_search_partitions()
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
DECLARE
  made integer := 0;
  missing record;
BEGIN
  FOR missing IN
    SELECT 'search_messages_next' || substring(c.relname FROM length('messages') + 1) AS child, pg_get_expr(c.relpartbound, c.oid) AS bound
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'messages'::regclass AND NOT i.inhdetachpending
  LOOP
    CONTINUE WHEN to_regclass(missing.child) IS NOT NULL;
    EXECUTE format('CREATE TABLE %I PARTITION OF search_messages_next %s', missing.child, missing.bound);
    made := made + 1;
  END LOOP;
  RETURN made;
END $function$;

CREATE OR REPLACE FUNCTION public.premake_partitions(p_months integer, p_days integer, p_since timestamp with time zone DEFAULT now())
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
DECLARE
  made integer := 0;
  missing record;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('colink.premake_partitions'));
  FOR missing IN SELECT * FROM missing_partitions(p_months, p_days, p_since) LOOP
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', missing.child, missing.parent);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
      missing.parent, missing.child, missing.lower_bound, missing.upper_bound);
    made := made + 1;
  END LOOP;
  RETURN made;
END $function$;

CREATE OR REPLACE FUNCTION public.project_created(p_channel uuid, p_batch drain_event[])
 RETURNS void
 LANGUAGE plpgsql
AS $function$
BEGIN
  INSERT INTO messages (id, channel_id, seq, pos, thread_id, tpos, author_id, client_msg_id, text, origin, created_at)
  SELECT b.message_id, p_channel, b.seq, b.pos, b.thread_id, b.tpos, b.actor_id, b.client_msg_id, b.text, b.origin, b.at
  FROM unnest(p_batch) b WHERE b.type = 'message.created';
END $function$;

CREATE OR REPLACE FUNCTION public.project_deleted(p_batch drain_event[])
 RETURNS void
 LANGUAGE plpgsql
AS $function$
BEGIN
  WITH gone AS (
    UPDATE messages m SET text = '', deleted_at = b.at
    FROM unnest(p_batch) b WHERE b.type = 'message.deleted' AND m.id = b.message_id AND m.deleted_at IS NULL
    RETURNING m.thread_id
  )
  UPDATE threads t SET reply_count = t.reply_count - g.replies
  FROM (SELECT gone.thread_id, count(*)::integer AS replies FROM gone WHERE gone.thread_id IS NOT NULL GROUP BY gone.thread_id) g
  WHERE t.root_id = g.thread_id;

  DELETE FROM message_revisions r USING unnest(p_batch) b WHERE b.type = 'message.deleted' AND r.message_id = b.message_id;
  DELETE FROM pins p USING unnest(p_batch) b WHERE b.type = 'message.deleted' AND p.message_id = b.message_id;
  DELETE FROM message_previews p USING unnest(p_batch) b WHERE b.type = 'message.deleted' AND p.message_id = b.message_id;
END $function$;

CREATE OR REPLACE FUNCTION public.project_edited(p_batch drain_event[])
 RETURNS void
 LANGUAGE plpgsql
AS $function$
BEGIN
  -- What stands in the table, and all of the batch but the last: that will stand there.
  INSERT INTO message_revisions (message_id, revision, text, written_at)
  SELECT m.id, m.revision, m.text, coalesce(m.edited_at, m.created_at)
  FROM (SELECT DISTINCT e.message_id FROM unnest(p_batch) e WHERE e.type = 'message.edited') b JOIN messages m ON m.id = b.message_id
  WHERE m.deleted_at IS NULL
  UNION ALL
  SELECT b.message_id, b.revision, b.text, b.at
  FROM (SELECT e.message_id, e.revision, e.text, e.at, lead(e.seq) OVER (PARTITION BY e.message_id ORDER BY e.seq) AS next
        FROM unnest(p_batch) e WHERE e.type = 'message.edited') b
  WHERE b.next IS NOT NULL
  ON CONFLICT (message_id, revision) DO NOTHING;

  UPDATE messages m SET text = b.text, revision = b.revision, edited_at = b.at
  FROM (SELECT DISTINCT ON (e.message_id) e.message_id, e.text, e.revision, e.at FROM unnest(p_batch) e
        WHERE e.type = 'message.edited' ORDER BY e.message_id, e.seq DESC) b
  WHERE m.id = b.message_id;
END $function$;

CREATE OR REPLACE FUNCTION public.project_files(p_channel uuid, p_batch drain_event[])
 RETURNS void
 LANGUAGE plpgsql
AS $function$
BEGIN
  INSERT INTO message_files (message_id, file_id, place)
  SELECT b.message_id, f.id, c.place
  FROM unnest(p_batch) b
  CROSS JOIN LATERAL jsonb_array_elements_text(b.event -> 'file_ids') WITH ORDINALITY AS c (id, place)
  JOIN files f ON f.id = c.id::uuid AND f.uploader_id = b.actor_id AND f.channel_id = p_channel
  WHERE b.type = 'message.created'
  ON CONFLICT (message_id, file_id) DO NOTHING;
END $function$;

CREATE OR REPLACE FUNCTION public.project_followers(p_channel uuid, p_batch drain_event[])
 RETURNS void
 LANGUAGE plpgsql
AS $function$
BEGIN
  WITH replies AS (
    SELECT b.thread_id AS root_id, b.actor_id, b.tpos, b.text FROM unnest(p_batch) b WHERE b.type = 'message.created' AND b.thread_id IS NOT NULL AND b.origin IS NULL
  ), facts AS (
    SELECT r.root_id, m.author_id AS user_id, 0::bigint AS since, NULL::bigint AS named FROM replies r JOIN messages m ON m.id = r.root_id AND m.origin IS NULL
    UNION ALL
    SELECT r.root_id, r.actor_id, r.tpos, NULL FROM replies r
    UNION ALL
    SELECT r.root_id, u.id, r.tpos - 1, r.tpos
    FROM replies r CROSS JOIN LATERAL unnest((mentioned_handles(r.text))[1:50]) h JOIN users u ON u.handle = h AND u.id <> r.actor_id
    WHERE position('@' IN r.text) > 0
  ), those AS (
    SELECT m.user_id FROM members m WHERE m.channel_id = p_channel AND m.user_id IN (SELECT f.user_id FROM facts f) ORDER BY m.user_id FOR KEY SHARE
  )
  INSERT INTO thread_followers AS t (root_id, user_id, channel_id, auto_since, renamed_tpos)
  SELECT f.root_id, f.user_id, p_channel, min(f.since), min(f.named) FROM facts f JOIN those USING (user_id) GROUP BY f.root_id, f.user_id ORDER BY f.root_id, f.user_id
  ON CONFLICT (root_id, user_id) DO UPDATE
    SET auto_since = least(t.auto_since, excluded.auto_since), renamed_tpos = least(t.renamed_tpos, excluded.renamed_tpos)
  WHERE (t.auto_since, t.renamed_tpos) IS DISTINCT FROM (least(t.auto_since, excluded.auto_since), least(t.renamed_tpos, excluded.renamed_tpos));
END $function$;

CREATE OR REPLACE FUNCTION public.project_notices(p_user uuid, p_after bigint, p_events jsonb)
 RETURNS void
 LANGUAGE sql
AS $function$
  INSERT INTO notifications AS n (user_id, seq, id, reason, channel_id, message_id, author_id, pos, thread_id, quiet, created_at)
  SELECT p_user, (e ->> 'seq')::bigint, (e ->> 'id')::uuid, e ->> 'reason', (e ->> 'channel_id')::uuid, (e ->> 'message_id')::uuid, (e ->> 'author_id')::uuid,
    (e ->> 'pos')::bigint, (e ->> 'thread_id')::uuid, coalesce((e ->> 'quiet')::boolean, false), (e ->> 'at')::timestamptz
  FROM jsonb_array_elements(p_events) e WHERE e ->> 'type' = 'message.notified' AND (e ->> 'seq')::bigint > p_after
  -- A row of a history that a restore has undone.
  ON CONFLICT (user_id, seq) DO UPDATE SET id = excluded.id, reason = excluded.reason, channel_id = excluded.channel_id, message_id = excluded.message_id,
    author_id = excluded.author_id, pos = excluded.pos, thread_id = excluded.thread_id, quiet = excluded.quiet, created_at = excluded.created_at
$function$;

CREATE OR REPLACE FUNCTION public.project_pins(p_channel uuid, p_batch drain_event[])
 RETURNS void
 LANGUAGE plpgsql
AS $function$
BEGIN
  WITH last AS (
    SELECT DISTINCT ON (b.message_id) b.message_id, b.actor_id, b.at, b.seq, b.type
    FROM unnest(p_batch) b WHERE b.type IN ('message.pinned', 'message.unpinned') ORDER BY b.message_id, b.seq DESC
  ), removed AS (
    DELETE FROM pins p USING last l WHERE l.type = 'message.unpinned' AND p.message_id = l.message_id
  )
  INSERT INTO pins (message_id, channel_id, pinned_by, pinned_at, seq)
  SELECT l.message_id, p_channel, l.actor_id, l.at, l.seq FROM last l WHERE l.type = 'message.pinned'
  ON CONFLICT (message_id) DO UPDATE SET pinned_by = excluded.pinned_by, pinned_at = excluded.pinned_at, seq = excluded.seq;
END $function$;

CREATE OR REPLACE FUNCTION public.project_previews(p_channel uuid, p_batch drain_event[])
 RETURNS void
 LANGUAGE plpgsql
AS $function$
BEGIN
  DELETE FROM message_previews p USING unnest(p_batch) b
  WHERE b.type = 'message.edited' AND p.message_id = b.message_id AND p.removed_seq IS NULL;

  INSERT INTO message_previews AS p (message_id, channel_id, revision, previews)
  SELECT l.message_id, p_channel, l.revision, l.event -> 'previews'
  FROM (SELECT DISTINCT ON (b.message_id) b.message_id, b.type, b.revision, b.event FROM unnest(p_batch) b
        WHERE b.type IN ('message.previewed', 'message.edited') ORDER BY b.message_id, b.seq DESC) l
  WHERE l.type = 'message.previewed'
  ON CONFLICT (message_id) DO UPDATE SET revision = excluded.revision, previews = excluded.previews WHERE p.removed_seq IS NULL;

  INSERT INTO message_previews AS p (message_id, channel_id, revision, previews, removed_seq)
  SELECT b.message_id, p_channel, 1, '[]', min(b.seq) FROM unnest(p_batch) b WHERE b.type = 'message.previews_removed' GROUP BY b.message_id
  ON CONFLICT (message_id) DO UPDATE SET previews = '[]', removed_seq = least(p.removed_seq, excluded.removed_seq);
END $function$;

CREATE OR REPLACE FUNCTION public.project_reactions(p_channel uuid, p_batch drain_event[])
 RETURNS void
 LANGUAGE plpgsql
AS $function$
BEGIN
  WITH last AS (
    SELECT DISTINCT ON (b.message_id, b.emoji, b.actor_id) b.message_id, b.emoji, b.actor_id, b.seq, b.type
    FROM unnest(p_batch) b WHERE b.type IN ('reaction.added', 'reaction.removed')
    ORDER BY b.message_id, b.emoji, b.actor_id, b.seq DESC
  ), removed AS (
    DELETE FROM reactions r USING last l
    WHERE l.type = 'reaction.removed' AND r.message_id = l.message_id AND r.emoji = l.emoji AND r.user_id = l.actor_id
  )
  INSERT INTO reactions (message_id, emoji, user_id, channel_id, seq)
  SELECT l.message_id, l.emoji, l.actor_id, p_channel, l.seq FROM last l WHERE l.type = 'reaction.added'
  ON CONFLICT (message_id, emoji, user_id) DO UPDATE SET seq = excluded.seq;
END $function$;

CREATE OR REPLACE FUNCTION public.project_replies(p_channel uuid, p_batch drain_event[])
 RETURNS void
 LANGUAGE plpgsql
AS $function$
BEGIN
  INSERT INTO threads AS t (root_id, channel_id, reply_count, last_tpos, last_reply_at)
  SELECT b.thread_id, p_channel, count(*), max(b.tpos), max(b.at)
  FROM unnest(p_batch) b WHERE b.type = 'message.created' AND b.thread_id IS NOT NULL GROUP BY b.thread_id
  ON CONFLICT (root_id) DO UPDATE SET reply_count = t.reply_count + excluded.reply_count, last_tpos = excluded.last_tpos,
    last_reply_at = excluded.last_reply_at;
  PERFORM project_followers(p_channel, p_batch);
END $function$;

CREATE OR REPLACE FUNCTION public.read_place(p_generation bigint, p_read_pos bigint, p_joined_pos bigint)
 RETURNS bigint
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
  SELECT CASE WHEN p_generation > 0 THEN p_read_pos ELSE greatest(p_read_pos, p_joined_pos) END
$function$;

CREATE OR REPLACE FUNCTION public.refuse_act_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  RAISE EXCEPTION 'dead_letter_acts takes new rows only' USING ERRCODE = 'restrict_violation';
END $function$;

CREATE OR REPLACE FUNCTION public.refuse_audit_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  RAISE EXCEPTION 'audit_log takes new rows only' USING ERRCODE = 'restrict_violation';
END $function$;

CREATE OR REPLACE FUNCTION public.rename_search_table(p_from text, p_to text)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
DECLARE
  one record;
BEGIN
  FOR one IN
    WITH RECURSIVE tables AS (
      SELECT to_regclass(p_from)::oid AS oid
      UNION ALL SELECT i.inhrelid FROM pg_inherits i JOIN tables t ON i.inhparent = t.oid
    ), named AS (
      SELECT c.oid, c.relname, c.relkind FROM tables t JOIN pg_class c ON c.oid = t.oid
      UNION ALL SELECT c.oid, c.relname, c.relkind FROM tables t JOIN pg_index x ON x.indrelid = t.oid JOIN pg_class c ON c.oid = x.indexrelid
    )
    SELECT n.relname, n.relkind IN ('i', 'I') AS is_index, p_to || substring(n.relname FROM length(p_from) + 1) AS renamed
    FROM named n WHERE starts_with(n.relname, p_from)
  LOOP
    EXECUTE format(CASE WHEN one.is_index THEN 'ALTER INDEX %I RENAME TO %I' ELSE 'ALTER TABLE %I RENAME TO %I' END, one.relname, one.renamed);
  END LOOP;
END $function$;

CREATE OR REPLACE FUNCTION public.seal_audit_act()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
DECLARE
  head audit_log;
  sealed audit_log;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('colink.audit', 0));
  SELECT * INTO head FROM audit_log ORDER BY seq DESC LIMIT 1;
  sealed.seq := coalesce(head.seq, 0) + 1;
  sealed.at := greatest(date_trunc('milliseconds', clock_timestamp()), head.at);
  sealed.act := NEW.act;
  sealed.actor_id := NEW.actor_id;
  sealed.actor_name := NEW.actor_name;
  sealed.credential_id := NEW.credential_id;
  sealed.target_kind := NEW.target_kind;
  sealed.target_id := NEW.target_id;
  sealed.details := NEW.details;
  sealed.request_id := NEW.request_id;
  sealed.previous_hash := coalesce(head.hash, decode(repeat('00', 32), 'hex'));
  sealed.hash := sha256(convert_to('colink.audit.v1'
    || audit_field(encode(sealed.previous_hash, 'hex')) || audit_field(sealed.seq::text)
    || audit_field(to_char(sealed.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
    || audit_field(sealed.act) || audit_field(sealed.actor_id::text) || audit_field(sealed.actor_name) || audit_field(sealed.credential_id::text)
    || audit_field(sealed.target_kind) || audit_field(sealed.target_id) || audit_field(sealed.details::text) || audit_field(sealed.request_id), 'UTF8'));
  INSERT INTO audit_log VALUES (sealed.*);
  DELETE FROM audit_intake WHERE id = NEW.id;
  RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION public.skip_poison_event(p_channel uuid, p_epoch integer, p_fence bigint, p_seq bigint, p_event bytea, p_class text, p_message text)
 RETURNS TABLE(status text, drained_seq bigint)
 LANGUAGE plpgsql
AS $function$
DECLARE
  log conversation_logs;
BEGIN
  SELECT l.* INTO log FROM conversation_logs l WHERE l.channel_id = p_channel FOR UPDATE;
  IF NOT FOUND THEN RETURN QUERY SELECT 'unknown', 0::bigint; RETURN; END IF;
  IF log.fence > p_fence OR log.epoch <> p_epoch THEN RETURN QUERY SELECT 'fenced', log.drained_seq; RETURN; END IF;
  IF p_seq > log.drained_seq + 1 THEN RETURN QUERY SELECT 'gap', log.drained_seq; RETURN; END IF;
  IF p_seq = log.drained_seq + 1 THEN
    INSERT INTO dead_letters (stage, topic, record_key, record_value, headers, error_class, error_message, attempts, first_failed_at, last_failed_at)
    VALUES ('drain', 'message.events', convert_to(p_channel::text, 'UTF8'), p_event,
      jsonb_build_object('channel_seq', p_seq::text), p_class, p_message, 1, now(), now());
    UPDATE conversation_logs l SET fence = p_fence, drained_seq = p_seq, drained_at = now() WHERE l.channel_id = p_channel;
  END IF;
  RETURN QUERY SELECT 'ok', greatest(p_seq, log.drained_seq);
END $function$;

CREATE OR REPLACE FUNCTION public.skip_poison_inbox_event(p_user uuid, p_epoch integer, p_fence bigint, p_seq bigint, p_event bytea, p_class text, p_message text)
 RETURNS TABLE(status text, drained_seq bigint)
 LANGUAGE plpgsql
AS $function$
DECLARE
  log inbox_logs;
BEGIN
  SELECT l.* INTO log FROM inbox_logs l WHERE l.user_id = p_user FOR UPDATE;
  IF NOT FOUND THEN RETURN QUERY SELECT 'unknown', 0::bigint; RETURN; END IF;
  IF log.fence > p_fence OR log.epoch <> p_epoch THEN RETURN QUERY SELECT 'fenced', log.drained_seq; RETURN; END IF;
  IF p_seq > log.drained_seq + 1 THEN RETURN QUERY SELECT 'gap', log.drained_seq; RETURN; END IF;
  IF p_seq = log.drained_seq + 1 THEN
    INSERT INTO dead_letters (stage, topic, record_key, record_value, headers, error_class, error_message, attempts, first_failed_at, last_failed_at)
    VALUES ('drain', 'user.events', convert_to(p_user::text, 'UTF8'), p_event,
      jsonb_build_object('channel_seq', p_seq::text), p_class, p_message, 1, now(), now());
    UPDATE inbox_logs l SET fence = p_fence, drained_seq = p_seq, drained_at = now() WHERE l.user_id = p_user;
  END IF;
  RETURN QUERY SELECT 'ok', greatest(p_seq, log.drained_seq);
END $function$;

CREATE OR REPLACE FUNCTION public.trace_events(p_topic text, p_key uuid, p_traces jsonb)
 RETURNS void
 LANGUAGE sql
AS $function$
  -- Those that this very transaction has logged: what was drained before is left as it is.
  UPDATE event_log e SET traceparent = t.value FROM jsonb_each_text(p_traces) t
  WHERE e.xid = pg_current_xact_id() AND e.logged_at = now() AND e.topic = p_topic AND e.key = p_key AND e.channel_seq = t.key::bigint;
$function$;

CREATE CONSTRAINT TRIGGER audit_intake_seal AFTER INSERT ON audit_intake DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION seal_audit_act();

CREATE TRIGGER audit_log_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();

CREATE TRIGGER dead_letter_acts_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON dead_letter_acts FOR EACH STATEMENT EXECUTE FUNCTION refuse_act_change();
