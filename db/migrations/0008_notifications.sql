-- What a user wants to be notified of. No row: the defaults, version 0.
CREATE TABLE notification_settings (
  user_id uuid PRIMARY KEY REFERENCES users (id),
  level text NOT NULL DEFAULT 'mentions' CHECK (level IN ('all', 'mentions', 'none')),
  -- Quiet hours: minutes of the local day in a zone, and the days on which they begin, as bits from Monday (1) on. All of them or none.
  quiet_start smallint CHECK (quiet_start BETWEEN 0 AND 1439),
  quiet_end smallint CHECK (quiet_end BETWEEN 0 AND 1439),
  quiet_zone text,
  quiet_weekdays smallint CHECK (quiet_weekdays BETWEEN 1 AND 127),
  version integer NOT NULL DEFAULT 1,
  CHECK (num_nulls(quiet_start, quiet_end, quiet_zone, quiet_weekdays) IN (0, 4))
);
--> statement-breakpoint
-- A keyword as its user wrote it, and as it is compared (protocol/keywords.ts): a message looks up its phrases, whoever has which keywords.
CREATE TABLE notification_keywords (
  phrase text NOT NULL,
  user_id uuid NOT NULL REFERENCES users (id),
  place smallint NOT NULL,
  keyword text NOT NULL,
  PRIMARY KEY (phrase, user_id)
);
--> statement-breakpoint
CREATE INDEX notification_keywords_user ON notification_keywords (user_id);
--> statement-breakpoint
-- The same of one channel. Kept when the user leaves: who comes back finds it as it was. level null: as everywhere; muted_until null: not
-- muted, infinity: until it is taken back.
CREATE TABLE channel_notification_settings (
  channel_id uuid NOT NULL REFERENCES channels (id),
  user_id uuid NOT NULL REFERENCES users (id),
  level text CHECK (level IN ('all', 'mentions', 'none')),
  muted_until timestamptz,
  version integer NOT NULL DEFAULT 1,
  PRIMARY KEY (channel_id, user_id)
);
--> statement-breakpoint
-- The notices of each user's inbox: a projection of its log, by its drain (G6, G7). The newest 1,000 of a user, and some more.
CREATE TABLE notifications (
  user_id uuid NOT NULL REFERENCES users (id),
  seq bigint NOT NULL,
  id uuid NOT NULL,
  reason text NOT NULL,
  channel_id uuid NOT NULL,
  message_id uuid NOT NULL,
  author_id uuid NOT NULL,
  pos bigint,
  thread_id uuid,
  quiet boolean NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (user_id, seq)
);
--> statement-breakpoint
-- Notices up to here were marked as read.
ALTER TABLE inbox_logs ADD COLUMN notices_read_seq bigint NOT NULL DEFAULT 0;
--> statement-breakpoint
CREATE FUNCTION project_notices(p_user uuid, p_after bigint, p_events jsonb) RETURNS void LANGUAGE sql AS $$
  INSERT INTO notifications AS n (user_id, seq, id, reason, channel_id, message_id, author_id, pos, thread_id, quiet, created_at)
  SELECT p_user, (e ->> 'seq')::bigint, (e ->> 'id')::uuid, e ->> 'reason', (e ->> 'channel_id')::uuid, (e ->> 'message_id')::uuid, (e ->> 'author_id')::uuid,
    (e ->> 'pos')::bigint, (e ->> 'thread_id')::uuid, coalesce((e ->> 'quiet')::boolean, false), (e ->> 'at')::timestamptz
  FROM jsonb_array_elements(p_events) e WHERE e ->> 'type' = 'message.notified' AND (e ->> 'seq')::bigint > p_after
  -- A row of a history that a restore has undone.
  ON CONFLICT (user_id, seq) DO UPDATE SET id = excluded.id, reason = excluded.reason, channel_id = excluded.channel_id, message_id = excluded.message_id,
    author_id = excluded.author_id, pos = excluded.pos, thread_id = excluded.thread_id, quiet = excluded.quiet, created_at = excluded.created_at
$$;
--> statement-breakpoint
-- As before, with the notices and how far they were marked as read.
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

  INSERT INTO read_states AS r (user_id, channel_id, read_pos, updated_at)
  SELECT p_user, c.id, max((e.value ->> 'read_pos')::bigint), max((e.value ->> 'at')::timestamptz)
  FROM jsonb_array_elements(p_events) e JOIN channels c ON c.id = (e.value ->> 'channel_id')::uuid
  WHERE e.value ->> 'type' = 'read.moved' AND (e.value ->> 'seq')::bigint > log.drained_seq GROUP BY c.id
  ON CONFLICT (user_id, channel_id) DO UPDATE SET read_pos = excluded.read_pos, updated_at = excluded.updated_at
  WHERE r.read_pos < excluded.read_pos;

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
--> statement-breakpoint
-- The notices of before: a fold of the log, as far back as it goes.
INSERT INTO notifications (user_id, seq, id, reason, channel_id, message_id, author_id, pos, thread_id, quiet, created_at)
SELECT DISTINCT ON (e.key, e.channel_seq) e.key, e.channel_seq, e.event_id, e.data ->> 'reason', (e.data ->> 'channel_id')::uuid, (e.data ->> 'message_id')::uuid,
  (e.data ->> 'author_id')::uuid, (e.data ->> 'pos')::bigint, (e.data ->> 'thread_id')::uuid, false, (e.data ->> 'at')::timestamptz
FROM event_log e JOIN users u ON u.id = e.key WHERE e.topic = 'user.events' AND e.type = 'colink.message.notified.v1' AND e.channel_seq IS NOT NULL
ORDER BY e.key, e.channel_seq, e.position DESC;
