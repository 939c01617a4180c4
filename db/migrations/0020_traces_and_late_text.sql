-- Events of rooms and inboxes bear the trace context of the request that caused them, where the drain brings it: `p_traces` is an object of them by `seq`.
CREATE FUNCTION trace_events(p_topic text, p_key uuid, p_traces jsonb) RETURNS void LANGUAGE sql AS $$
  -- Those that this very transaction has logged: what was drained before is left as it is.
  UPDATE event_log e SET traceparent = t.value FROM jsonb_each_text(p_traces) t
  WHERE e.xid = pg_current_xact_id() AND e.logged_at = now() AND e.topic = p_topic AND e.key = p_key AND e.channel_seq = t.key::bigint;
$$;
--> statement-breakpoint
CREATE FUNCTION drain_traced_conversation(p_channel uuid, p_epoch integer, p_fence bigint, p_events jsonb, p_traces jsonb)
RETURNS TABLE (status text, drained_seq bigint) LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY SELECT d.status, d.drained_seq FROM drain_conversation(p_channel, p_epoch, p_fence, p_events) d;
  PERFORM trace_events('message.events', p_channel, p_traces);
END $$;
--> statement-breakpoint
CREATE FUNCTION drain_traced_inbox(p_user uuid, p_epoch integer, p_fence bigint, p_events jsonb, p_traces jsonb)
RETURNS TABLE (status text, drained_seq bigint) LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY SELECT d.status, d.drained_seq FROM drain_inbox(p_user, p_epoch, p_fence, p_events) d;
  PERFORM trace_events('user.events', p_user, p_traces);
END $$;
--> statement-breakpoint
-- What webhooks are sent has the text that the message has when it is sent, so none is kept for them.
UPDATE webhook_events SET data = jsonb_set(data, '{text}', '""') WHERE type IN ('message.created', 'message.edited') AND data ? 'text';
--> statement-breakpoint
-- A mark of a thread goes no further than its last reply; those that went beyond would hide what comes.
UPDATE thread_read_states r SET read_tpos = coalesce((SELECT t.last_tpos FROM threads t WHERE t.root_id = r.root_id), 0)
WHERE r.read_tpos > coalesce((SELECT t.last_tpos FROM threads t WHERE t.root_id = r.root_id), 0);
