-- The record. Frozen once released: a later change is a later file.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
--> statement-breakpoint
CREATE TABLE users (
  id uuid PRIMARY KEY,
  issuer text NOT NULL,
  subject text NOT NULL,
  handle text NOT NULL UNIQUE CHECK (handle = lower(handle)),
  display_name text NOT NULL,
  role text NOT NULL DEFAULT 'member' CHECK (role IN ('admin', 'moderator', 'member', 'guest')),
  version integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  deactivated_at timestamptz,
  UNIQUE (issuer, subject)
);
--> statement-breakpoint
-- Sessions of browsers and tokens of programs alike: a hashed secret that stands for a user. The secret itself is never stored.
CREATE TABLE credentials (
  id uuid PRIMARY KEY,
  secret_hash bytea NOT NULL UNIQUE,
  kind text NOT NULL CHECK (kind IN ('session', 'personal', 'bot')),
  user_id uuid NOT NULL REFERENCES users (id),
  name text NOT NULL,
  scopes text[] NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz
);
--> statement-breakpoint
CREATE INDEX credentials_user ON credentials (user_id);
--> statement-breakpoint
CREATE TABLE channels (
  id uuid PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('public', 'private', 'direct')),
  name text,
  topic text NOT NULL DEFAULT '',
  created_by uuid NOT NULL REFERENCES users (id),
  created_at timestamptz NOT NULL DEFAULT now(),
  archived_at timestamptz,
  version integer NOT NULL DEFAULT 1,
  -- Rises with every change of the member list, under the row's lock: rooms apply the newest and ignore what comes late.
  members_version bigint NOT NULL DEFAULT 0,
  CHECK ((kind = 'direct') = (name IS NULL))
);
--> statement-breakpoint
CREATE UNIQUE INDEX channels_name ON channels (lower(name));
--> statement-breakpoint
CREATE TABLE members (
  channel_id uuid NOT NULL REFERENCES channels (id),
  user_id uuid NOT NULL REFERENCES users (id),
  role text NOT NULL DEFAULT 'member' CHECK (role IN ('owner', 'admin', 'member')),
  version bigint NOT NULL,
  joined_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (channel_id, user_id)
);
--> statement-breakpoint
CREATE INDEX members_user ON members (user_id);
--> statement-breakpoint
-- Who was removed, at which version of the member list: a repeated removal tells the room exactly what the first one should have told.
CREATE TABLE former_members (
  channel_id uuid NOT NULL REFERENCES channels (id),
  user_id uuid NOT NULL REFERENCES users (id),
  version bigint NOT NULL,
  PRIMARY KEY (channel_id, user_id)
);
--> statement-breakpoint
CREATE TABLE read_states (
  user_id uuid NOT NULL REFERENCES users (id),
  channel_id uuid NOT NULL REFERENCES channels (id),
  read_pos bigint NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (user_id, channel_id)
);
--> statement-breakpoint
-- How far a channel's log is projected: Postgres holds exactly the events up to drained_seq (G6).
CREATE TABLE conversation_logs (
  channel_id uuid PRIMARY KEY REFERENCES channels (id),
  epoch integer NOT NULL DEFAULT 1,
  fence bigint NOT NULL DEFAULT 0,
  drained_seq bigint NOT NULL DEFAULT 0,
  drained_pos bigint NOT NULL DEFAULT 0,
  drained_at timestamptz
) WITH (fillfactor = 50);
--> statement-breakpoint
-- Partitioned by month on the UUIDv7 id, so that the id alone stays the key.
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
  revision integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL,
  edited_at timestamptz,
  deleted_at timestamptz,
  PRIMARY KEY (id),
  CHECK ((thread_id IS NULL) = (pos IS NOT NULL)),
  CHECK ((thread_id IS NULL) = (tpos IS NULL))
) PARTITION BY RANGE (id);
--> statement-breakpoint
CREATE INDEX messages_history ON messages (channel_id, pos) WHERE thread_id IS NULL;
--> statement-breakpoint
CREATE INDEX messages_thread ON messages (thread_id, tpos) WHERE thread_id IS NOT NULL;
--> statement-breakpoint
CREATE TABLE threads (
  root_id uuid PRIMARY KEY,
  channel_id uuid NOT NULL,
  reply_count integer NOT NULL,
  last_tpos bigint NOT NULL,
  last_reply_at timestamptz NOT NULL
);
--> statement-breakpoint
CREATE INDEX threads_channel ON threads (channel_id);
--> statement-breakpoint
CREATE TABLE reactions (
  message_id uuid NOT NULL,
  emoji text NOT NULL,
  user_id uuid NOT NULL,
  channel_id uuid NOT NULL,
  seq bigint NOT NULL,
  PRIMARY KEY (message_id, emoji, user_id)
);
--> statement-breakpoint
CREATE INDEX reactions_channel ON reactions (channel_id);
--> statement-breakpoint
-- The transactional outbox, by day; old days are dropped, never deleted row by row. No identity column: Postgres below 17 has none
-- on partitioned tables.
CREATE SEQUENCE event_log_position CACHE 1;
--> statement-breakpoint
CREATE TABLE event_log (
  logged_at timestamptz NOT NULL DEFAULT now(),
  position bigint NOT NULL DEFAULT nextval('event_log_position'),
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  topic text NOT NULL,
  key uuid NOT NULL,
  event_id uuid NOT NULL,
  -- ce_type: name and major version, such as colink.message.created.v1
  type text NOT NULL,
  channel_seq bigint,
  data jsonb NOT NULL,
  traceparent text,
  -- Position first: readers page a long backlog along it.
  PRIMARY KEY (position, logged_at)
) PARTITION BY RANGE (logged_at);
--> statement-breakpoint
CREATE INDEX event_log_relay ON event_log (xid, position);
--> statement-breakpoint
CREATE INDEX event_log_resume ON event_log (key, channel_seq) WHERE channel_seq IS NOT NULL;
--> statement-breakpoint
-- One row a shard of the relay. Rows visible in target and not in base are being sent, up to after_position so far.
CREATE TABLE relay_states (
  shard integer PRIMARY KEY,
  fence bigint NOT NULL DEFAULT 0,
  base pg_snapshot NOT NULL,
  base_taken_at timestamptz NOT NULL,
  target pg_snapshot,
  target_taken_at timestamptz,
  after_position bigint NOT NULL DEFAULT 0,
  updated_at timestamptz NOT NULL DEFAULT now()
);
--> statement-breakpoint
-- A group's place in a partition, written in the transaction of the effect. The cursor is the event source's own notation.
CREATE TABLE consumer_offsets (
  group_id text NOT NULL,
  topic text NOT NULL,
  partition integer NOT NULL,
  cursor text NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (group_id, topic, partition)
) WITH (fillfactor = 50);
--> statement-breakpoint
-- The last log position a group has taken over of each key: what is not above it is a repetition (G2).
CREATE TABLE consumer_keys (
  group_id text NOT NULL,
  topic text NOT NULL,
  key uuid NOT NULL,
  position bigint NOT NULL,
  PRIMARY KEY (group_id, topic, key)
) WITH (fillfactor = 50);
--> statement-breakpoint
-- A key whose first record failed by its own fault. Its later records queue behind it; other keys go on.
CREATE TABLE parked_keys (
  group_id text NOT NULL,
  topic text NOT NULL,
  key uuid NOT NULL,
  attempts integer NOT NULL,
  error_class text NOT NULL,
  error_message text NOT NULL,
  first_failed_at timestamptz NOT NULL,
  last_failed_at timestamptz NOT NULL,
  next_retry_at timestamptz NOT NULL,
  PRIMARY KEY (group_id, topic, key)
);
--> statement-breakpoint
CREATE INDEX parked_keys_due ON parked_keys (group_id, next_retry_at);
--> statement-breakpoint
CREATE TABLE parked_records (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  group_id text NOT NULL,
  topic text NOT NULL,
  key uuid NOT NULL,
  partition integer NOT NULL,
  record_offset text NOT NULL,
  record_key bytea,
  record_value bytea,
  headers jsonb NOT NULL,
  FOREIGN KEY (group_id, topic, key) REFERENCES parked_keys (group_id, topic, key) ON DELETE CASCADE
);
--> statement-breakpoint
CREATE INDEX parked_records_key ON parked_records (group_id, topic, key, id);
--> statement-breakpoint
CREATE TABLE dead_letters (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  stage text NOT NULL CHECK (stage IN ('drain', 'consumer')),
  group_id text,
  topic text NOT NULL,
  partition integer,
  record_offset text,
  record_key bytea,
  record_value bytea,
  headers jsonb NOT NULL DEFAULT '{}',
  error_class text NOT NULL,
  error_message text NOT NULL,
  attempts integer NOT NULL,
  first_failed_at timestamptz NOT NULL,
  last_failed_at timestamptz NOT NULL,
  status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'redriven', 'discarded')),
  -- When it was produced to dlq.<topic>; null while that is still owed.
  published_at timestamptz
);
--> statement-breakpoint
CREATE INDEX dead_letters_unpublished ON dead_letters (last_failed_at) WHERE published_at IS NULL;
--> statement-breakpoint
CREATE INDEX dead_letters_pending ON dead_letters (topic, group_id) WHERE status = 'pending';
--> statement-breakpoint
-- Derived by search-indexer: a fold of message.events (G7). Partitioned like messages.
CREATE TABLE search_messages (
  id uuid NOT NULL,
  channel_id uuid NOT NULL,
  author_id uuid NOT NULL,
  -- The seq of the event this row was last folded from.
  seq bigint NOT NULL,
  text text NOT NULL,
  tsv tsvector NOT NULL GENERATED ALWAYS AS (to_tsvector('simple', text)) STORED,
  PRIMARY KEY (id)
) PARTITION BY RANGE (id);
--> statement-breakpoint
CREATE INDEX search_messages_tsv ON search_messages USING gin (tsv);
--> statement-breakpoint
CREATE INDEX search_messages_trgm ON search_messages USING gin (text gin_trgm_ops);
--> statement-breakpoint
CREATE TABLE idempotency_keys (
  user_id uuid NOT NULL,
  method text NOT NULL,
  route text NOT NULL,
  key text NOT NULL,
  fingerprint bytea NOT NULL,
  -- Null while the first request runs.
  status integer,
  body text,
  headers jsonb,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (user_id, method, route, key)
);
--> statement-breakpoint
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);
--> statement-breakpoint
-- The least UUIDv7 of a moment: a partition bound.
CREATE FUNCTION uuid_floor(at timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT AS $$
  SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008000000000000000')::uuid
$$;
--> statement-breakpoint
-- The partitions due from the month and the day of p_since on that are not there: months of messages and search_messages, days of
-- event_log.
CREATE FUNCTION missing_partitions(p_months integer, p_days integer, p_since timestamptz)
RETURNS TABLE (parent text, child text, lower_bound text, upper_bound text) LANGUAGE sql STABLE AS $$
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
$$;
--> statement-breakpoint
-- Makes the missing partitions. Safe to repeat and to run from many places; returns how many it made. Making a table and attaching it
-- lets reads and writes of the parent go on; CREATE TABLE … PARTITION OF would lock them out.
CREATE FUNCTION premake_partitions(p_months integer, p_days integer, p_since timestamptz DEFAULT now()) RETURNS integer LANGUAGE plpgsql AS $$
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
END $$;
--> statement-breakpoint
-- A wire event taken apart, with itself whole in `event`.
CREATE TYPE drain_event AS (
  seq bigint, id uuid, type text, at timestamptz, actor_id uuid, message_id uuid, client_msg_id text, text text, pos bigint, thread_id uuid,
  tpos bigint, origin jsonb, revision integer, emoji text, event jsonb
);
--> statement-breakpoint
CREATE FUNCTION project_created(p_channel uuid, p_batch drain_event[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO messages (id, channel_id, seq, pos, thread_id, tpos, author_id, client_msg_id, text, origin, created_at)
  SELECT b.message_id, p_channel, b.seq, b.pos, b.thread_id, b.tpos, b.actor_id, b.client_msg_id, b.text, b.origin, b.at
  FROM unnest(p_batch) b WHERE b.type = 'message.created';
END $$;
--> statement-breakpoint
CREATE FUNCTION project_replies(p_channel uuid, p_batch drain_event[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO threads AS t (root_id, channel_id, reply_count, last_tpos, last_reply_at)
  SELECT b.thread_id, p_channel, count(*), max(b.tpos), max(b.at)
  FROM unnest(p_batch) b WHERE b.type = 'message.created' AND b.thread_id IS NOT NULL GROUP BY b.thread_id
  ON CONFLICT (root_id) DO UPDATE SET reply_count = t.reply_count + excluded.reply_count, last_tpos = excluded.last_tpos,
    last_reply_at = excluded.last_reply_at;
END $$;
--> statement-breakpoint
-- The last edit of the batch decides.
CREATE FUNCTION project_edited(p_batch drain_event[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE messages m SET text = b.text, revision = b.revision, edited_at = b.at
  FROM (SELECT DISTINCT ON (e.message_id) e.message_id, e.text, e.revision, e.at FROM unnest(p_batch) e
        WHERE e.type = 'message.edited' ORDER BY e.message_id, e.seq DESC) b
  WHERE m.id = b.message_id;
END $$;
--> statement-breakpoint
CREATE FUNCTION project_deleted(p_batch drain_event[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  WITH gone AS (
    UPDATE messages m SET text = '', deleted_at = b.at
    FROM unnest(p_batch) b WHERE b.type = 'message.deleted' AND m.id = b.message_id AND m.deleted_at IS NULL
    RETURNING m.thread_id
  )
  UPDATE threads t SET reply_count = t.reply_count - g.replies
  FROM (SELECT gone.thread_id, count(*)::integer AS replies FROM gone WHERE gone.thread_id IS NOT NULL GROUP BY gone.thread_id) g
  WHERE t.root_id = g.thread_id;
END $$;
--> statement-breakpoint
-- The last word of the batch on each (message, emoji, user) decides.
CREATE FUNCTION project_reactions(p_channel uuid, p_batch drain_event[]) RETURNS void LANGUAGE plpgsql AS $$
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
END $$;
--> statement-breakpoint
-- The drain: projects one batch of a channel's events, in seq order, in one transaction. p_events is the array of wire events.
-- Events at or below drained_seq are skipped, so a repeated batch does nothing. status: 'ok'; 'fenced' (a newer instance of the room
-- has drained, or the epoch is another); 'gap' (the batch has a gap, or does not continue drained_seq); 'unknown' (no such channel).
--
-- The batch is parsed once, into an array; each projection is skipped where its types do not occur. (Measured: a temporary table
-- made a batch of one five times slower.)
CREATE FUNCTION drain_conversation(p_channel uuid, p_epoch integer, p_fence bigint, p_events jsonb)
RETURNS TABLE (status text, drained_seq bigint) LANGUAGE plpgsql AS $$
DECLARE
  log conversation_logs;
  first_seq bigint := (p_events -> 0 ->> 'seq')::bigint;
  last_seq bigint := (p_events -> -1 ->> 'seq')::bigint;
  batch drain_event[];
  types text[];
  last_pos bigint;
  with_replies boolean;
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
    bool_or(e.type = 'message.created' AND e.thread_id IS NOT NULL), bool_and(e.seq IS NOT DISTINCT FROM first_seq + e.n - 1)
  INTO batch, types, last_pos, with_replies, contiguous
  FROM ROWS FROM (
    jsonb_to_recordset(p_events) AS (seq bigint, id uuid, type text, at timestamptz, actor_id uuid, message_id uuid, client_msg_id text,
      text text, pos bigint, thread_id uuid, tpos bigint, origin jsonb, revision integer, emoji text),
    jsonb_array_elements(p_events)
  ) WITH ORDINALITY AS e (seq, id, type, at, actor_id, message_id, client_msg_id, text, pos, thread_id, tpos, origin, revision, emoji, event, n);
  IF NOT contiguous THEN RETURN QUERY SELECT 'gap', log.drained_seq; RETURN; END IF;

  IF 'message.created' = ANY (types) THEN PERFORM project_created(p_channel, batch); END IF;
  IF with_replies THEN PERFORM project_replies(p_channel, batch); END IF;
  IF 'message.edited' = ANY (types) THEN PERFORM project_edited(batch); END IF;
  IF 'message.deleted' = ANY (types) THEN PERFORM project_deleted(batch); END IF;
  IF types && ARRAY['reaction.added', 'reaction.removed'] THEN PERFORM project_reactions(p_channel, batch); END IF;

  INSERT INTO event_log (topic, key, event_id, type, channel_seq, data)
  SELECT 'message.events', p_channel, b.id, 'colink.' || b.type || '.v1', b.seq, b.event FROM unnest(batch) b;

  UPDATE conversation_logs l
  SET fence = p_fence, drained_seq = last_seq, drained_pos = greatest(last_pos, l.drained_pos), drained_at = now()
  WHERE l.channel_id = p_channel;
  RETURN QUERY SELECT 'ok', last_seq;
END $$;
--> statement-breakpoint
-- Steps over one event that Postgres cannot take: it goes to dead_letters whole, the prefix moves on.
CREATE FUNCTION skip_poison_event(p_channel uuid, p_epoch integer, p_fence bigint, p_seq bigint, p_event bytea, p_class text, p_message text)
RETURNS TABLE (status text, drained_seq bigint) LANGUAGE plpgsql AS $$
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
END $$;
