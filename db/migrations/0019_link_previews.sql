-- What messages show of the pages they link to; projected from the channel's log. `removed_seq`: the event by which somebody removed that; then there is none any more.
CREATE TABLE message_previews (
  message_id uuid PRIMARY KEY,
  channel_id uuid NOT NULL,
  -- Of the message, as of which they are.
  revision integer NOT NULL,
  previews jsonb NOT NULL,
  removed_seq bigint
);
--> statement-breakpoint
CREATE INDEX message_previews_channel ON message_previews (channel_id);
--> statement-breakpoint
-- Messages with links that nobody has told their rooms of yet: written by the group link-previewer, and gone when that is done.
CREATE TABLE link_messages (
  message_id uuid PRIMARY KEY,
  channel_id uuid NOT NULL,
  author_id uuid NOT NULL,
  revision integer NOT NULL,
  urls text[] NOT NULL,
  noted_at timestamptz NOT NULL DEFAULT now(),
  -- When it is to be looked at; while `lease` is set, when whoever holds it has lost it.
  due_at timestamptz NOT NULL DEFAULT now(),
  lease uuid,
  -- Previews that its room was told of.
  told integer NOT NULL DEFAULT 0
);
--> statement-breakpoint
CREATE INDEX link_messages_due ON link_messages (due_at);
--> statement-breakpoint
CREATE INDEX link_messages_author ON link_messages (author_id);
--> statement-breakpoint
-- Pages of the public web: asked for, or what was found, for everybody who links to them. No row says who does.
CREATE TABLE link_pages (
  -- SHA-256 of the URL.
  url_hash bytea PRIMARY KEY CHECK (octet_length(url_hash) = 32),
  -- While it waits: addresses may be secrets.
  url text,
  -- Pages of one site are asked for one after another.
  site text NOT NULL,
  state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'found', 'none')),
  requested_at timestamptz NOT NULL DEFAULT now(),
  -- While it waits: when it is to be asked for; while `lease` is set, when whoever holds it has lost it.
  due_at timestamptz NOT NULL DEFAULT now(),
  lease uuid,
  -- Tries that have failed, not counting those where this side was cut off.
  attempts integer NOT NULL DEFAULT 0,
  failure text,
  preview jsonb,
  -- Until then it is not asked for again.
  expires_at timestamptz,
  CHECK ((state = 'waiting') = (url IS NOT NULL)),
  CHECK ((state = 'found') = (preview IS NOT NULL)),
  CHECK ((state = 'waiting') = (expires_at IS NULL))
);
--> statement-breakpoint
CREATE INDEX link_pages_due ON link_pages (site, due_at) WHERE state = 'waiting';
--> statement-breakpoint
CREATE INDEX link_pages_expired ON link_pages (expires_at) WHERE state <> 'waiting';
--> statement-breakpoint
-- When a site may be asked again, by whomever.
CREATE TABLE link_sites (
  site text PRIMARY KEY,
  next_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
--> statement-breakpoint
-- Of a message's edits and findings in a batch the last one counts; a removal is for good, and the room logs no finding behind it.
CREATE FUNCTION project_previews(p_channel uuid, p_batch drain_event[]) RETURNS void LANGUAGE plpgsql AS $$
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
  DELETE FROM message_previews p USING unnest(p_batch) b WHERE b.type = 'message.deleted' AND p.message_id = b.message_id;
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
  IF types && ARRAY['message.previewed', 'message.previews_removed', 'message.edited'] THEN PERFORM project_previews(p_channel, batch); END IF;
  IF 'message.deleted' = ANY (types) THEN PERFORM project_deleted(batch); END IF;
  IF types && ARRAY['reaction.added', 'reaction.removed'] THEN PERFORM project_reactions(p_channel, batch); END IF;

  INSERT INTO event_log (topic, key, event_id, type, channel_seq, data)
  SELECT 'message.events', p_channel, b.id, 'colink.' || b.type || '.v1', b.seq, b.event FROM unnest(batch) b;

  UPDATE conversation_logs l
  SET fence = p_fence, drained_seq = last_seq, drained_pos = greatest(last_pos, l.drained_pos), drained_at = now()
  WHERE l.channel_id = p_channel;
  RETURN QUERY SELECT 'ok', last_seq;
END $$;
