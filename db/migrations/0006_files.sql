-- Files of channels. The content is in R2, at files/<id>/content; thumbnails beside it.
CREATE TABLE files (
  id uuid PRIMARY KEY,
  channel_id uuid NOT NULL REFERENCES channels (id),
  uploader_id uuid NOT NULL REFERENCES users (id),
  name text NOT NULL,
  media_type text NOT NULL,
  size bigint NOT NULL CHECK (size > 0),
  -- 64 hexadecimal digits in lower case.
  sha256 text NOT NULL,
  status text NOT NULL DEFAULT 'pending_scan' CHECK (status IN ('pending_scan', 'clean', 'infected')),
  thumbnails jsonb NOT NULL DEFAULT '[]',
  -- Rises by one with each change: as in the event that tells of it.
  version integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL,
  deleted_at timestamptz,
  -- When the last of what R2 held of it was removed for good.
  purged_at timestamptz
);
--> statement-breakpoint
CREATE INDEX files_channel ON files (channel_id, id) WHERE deleted_at IS NULL;
--> statement-breakpoint
CREATE INDEX files_uploader ON files (uploader_id, id) WHERE deleted_at IS NULL;
--> statement-breakpoint
CREATE INDEX files_pending ON files (id) WHERE status = 'pending_scan' AND deleted_at IS NULL;
--> statement-breakpoint
CREATE INDEX files_unpurged ON files (deleted_at) WHERE deleted_at IS NOT NULL AND purged_at IS NULL;
--> statement-breakpoint
-- Uploads that run, each with the id its file will have: whatever R2 holds has a row here or in files, so nothing there is lost sight of.
CREATE TABLE file_uploads (
  id uuid PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES users (id),
  channel_id uuid NOT NULL REFERENCES channels (id),
  -- Counted in file_usage until the upload ends.
  size bigint NOT NULL,
  idempotency_key text,
  started_at timestamptz NOT NULL,
  -- Given up: it becomes no file any more, and what R2 holds of it is to be removed.
  abandoned_at timestamptz
);
--> statement-breakpoint
CREATE UNIQUE INDEX file_uploads_key ON file_uploads (user_id, idempotency_key) WHERE abandoned_at IS NULL;
--> statement-breakpoint
CREATE INDEX file_uploads_age ON file_uploads (started_at);
--> statement-breakpoint
-- Bytes of the files and running uploads of a user; of everybody, under the nil UUID.
CREATE TABLE file_usage (
  user_id uuid PRIMARY KEY,
  bytes bigint NOT NULL CHECK (bytes >= 0)
) WITH (fillfactor = 50);
--> statement-breakpoint
-- The files that a message shows, in their order: of those it names only what is its author's own, in its channel. Projected by the drain.
CREATE TABLE message_files (
  message_id uuid NOT NULL,
  file_id uuid NOT NULL REFERENCES files (id),
  place integer NOT NULL,
  PRIMARY KEY (message_id, file_id)
);
--> statement-breakpoint
CREATE INDEX message_files_file ON message_files (file_id);
--> statement-breakpoint
-- A room knows no files, so what a message names is a claim until here.
CREATE FUNCTION project_files(p_channel uuid, p_batch drain_event[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO message_files (message_id, file_id, place)
  SELECT b.message_id, f.id, c.place
  FROM unnest(p_batch) b
  CROSS JOIN LATERAL jsonb_array_elements_text(b.event -> 'file_ids') WITH ORDINALITY AS c (id, place)
  JOIN files f ON f.id = c.id::uuid AND f.uploader_id = b.actor_id AND f.channel_id = p_channel
  WHERE b.type = 'message.created'
  ON CONFLICT (message_id, file_id) DO NOTHING;
END $$;
--> statement-breakpoint
-- As before, with the files of messages.
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
  IF 'message.deleted' = ANY (types) THEN PERFORM project_deleted(batch); END IF;
  IF types && ARRAY['reaction.added', 'reaction.removed'] THEN PERFORM project_reactions(p_channel, batch); END IF;

  INSERT INTO event_log (topic, key, event_id, type, channel_seq, data)
  SELECT 'message.events', p_channel, b.id, 'colink.' || b.type || '.v1', b.seq, b.event FROM unnest(batch) b;

  UPDATE conversation_logs l
  SET fence = p_fence, drained_seq = last_seq, drained_pos = greatest(last_pos, l.drained_pos), drained_at = now()
  WHERE l.channel_id = p_channel;
  RETURN QUERY SELECT 'ok', last_seq;
END $$;
