-- How far an inbox's log is projected: Postgres holds exactly the events up to drained_seq (G6).
CREATE TABLE inbox_logs (
  user_id uuid PRIMARY KEY REFERENCES users (id),
  epoch integer NOT NULL DEFAULT 1,
  fence bigint NOT NULL DEFAULT 0,
  drained_seq bigint NOT NULL DEFAULT 0,
  drained_at timestamptz,
  -- Whether badges are told to the inbox. It wakes by itself, with a higher version; whom it told that nobody listens may put it
  -- to sleep again, if that is still so.
  is_awake boolean NOT NULL DEFAULT false,
  awake_version bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
--> statement-breakpoint
-- The handles a text names: an @ that follows no letter, digit or handle character, and what may be a handle behind it. In lower case.
CREATE FUNCTION mentioned_handles(p_text text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT AS $$
  SELECT coalesce(array_agg(DISTINCT lower(m[1])), '{}')
  FROM regexp_matches(p_text, '(?:^|[^A-Za-z0-9@._-])@([A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?)(?![A-Za-z0-9])', 'g') m
$$;
--> statement-breakpoint
-- The drain of an inbox: one batch of its events, in seq order, in one transaction. Statuses are those of drain_conversation. Read
-- markers never go down. A marker of a channel that is gone has nothing to stand in, and is left out.
CREATE FUNCTION drain_inbox(p_user uuid, p_epoch integer, p_fence bigint, p_events jsonb)
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

  INSERT INTO event_log (topic, key, event_id, type, channel_seq, data)
  SELECT 'user.events', p_user, (e.value ->> 'id')::uuid, 'colink.' || (e.value ->> 'type') || '.v1', (e.value ->> 'seq')::bigint, e.value
  FROM jsonb_array_elements(p_events) WITH ORDINALITY e (value, n)
  WHERE (e.value ->> 'seq')::bigint > log.drained_seq ORDER BY e.n;

  UPDATE inbox_logs l SET fence = p_fence, drained_seq = last_seq, drained_at = now() WHERE l.user_id = p_user;
  RETURN QUERY SELECT 'ok', last_seq;
END $$;
--> statement-breakpoint
-- Steps over one event of an inbox that Postgres cannot take: it goes to dead_letters whole, the prefix moves on.
CREATE FUNCTION skip_poison_inbox_event(p_user uuid, p_epoch integer, p_fence bigint, p_seq bigint, p_event bytea, p_class text, p_message text)
RETURNS TABLE (status text, drained_seq bigint) LANGUAGE plpgsql AS $$
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
END $$;
