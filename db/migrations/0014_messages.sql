-- Messages pinned to a channel, newest `seq` first; projected from the channel's log.
CREATE TABLE pins (
  message_id uuid PRIMARY KEY,
  channel_id uuid NOT NULL,
  pinned_by uuid NOT NULL,
  pinned_at timestamptz NOT NULL,
  seq bigint NOT NULL
);
--> statement-breakpoint
CREATE INDEX pins_channel ON pins (channel_id, seq);
--> statement-breakpoint
-- What messages said before their last edit, and since when; what they say now is in `messages`. Of a deleted message there is nothing.
CREATE TABLE message_revisions (
  message_id uuid NOT NULL,
  revision integer NOT NULL,
  text text NOT NULL,
  written_at timestamptz NOT NULL,
  PRIMARY KEY (message_id, revision)
);
--> statement-breakpoint
-- Settings of the whole workspace: one row. `edit_window_seconds`: how long after it was sent a message may be edited; null: always.
CREATE TABLE workspace_settings (
  id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
  edit_window_seconds integer DEFAULT 900 CHECK (edit_window_seconds >= 0),
  version integer NOT NULL DEFAULT 0
);
--> statement-breakpoint
INSERT INTO workspace_settings DEFAULT VALUES;
--> statement-breakpoint
-- What users have saved for later. `version` rises with each change of a user's list; `number` is the version by which a message was saved: the order of the list.
CREATE TABLE saved_lists (
  user_id uuid PRIMARY KEY REFERENCES users (id),
  size integer NOT NULL,
  version bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE saved_messages (
  user_id uuid NOT NULL REFERENCES saved_lists (user_id),
  message_id uuid NOT NULL,
  channel_id uuid NOT NULL,
  number bigint NOT NULL,
  saved_at timestamptz NOT NULL,
  PRIMARY KEY (user_id, message_id)
);
--> statement-breakpoint
CREATE UNIQUE INDEX saved_messages_list ON saved_messages (user_id, number);
--> statement-breakpoint
-- Rises each time its user marks messages of the channel as unread. Of two markers the one with the higher (generation, read_pos) is the later.
ALTER TABLE read_states ADD COLUMN generation bigint NOT NULL DEFAULT 0;
--> statement-breakpoint
CREATE FUNCTION project_pins(p_channel uuid, p_batch drain_event[]) RETURNS void LANGUAGE plpgsql AS $$
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
END $$;
--> statement-breakpoint
CREATE OR REPLACE FUNCTION project_edited(p_batch drain_event[]) RETURNS void LANGUAGE plpgsql AS $$
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
END $$;
--> statement-breakpoint
CREATE OR REPLACE FUNCTION project_deleted(p_batch drain_event[]) RETURNS void LANGUAGE plpgsql AS $$
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
END $$;
--> statement-breakpoint
CREATE OR REPLACE FUNCTION drain_conversation(p_channel uuid, p_epoch integer, p_fence bigint, p_events jsonb)
RETURNS TABLE (status text, drained_seq bigint) LANGUAGE plpgsql AS $$
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
-- Of the markers of a channel the one of the highest (generation, read_pos) counts, so repeating or reordering them does no harm.
CREATE OR REPLACE FUNCTION drain_inbox(p_user uuid, p_epoch integer, p_fence bigint, p_events jsonb)
RETURNS TABLE (status text, drained_seq bigint) LANGUAGE plpgsql AS $$
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
END $$;
