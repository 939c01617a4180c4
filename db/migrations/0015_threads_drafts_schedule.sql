-- Messages that are to be sent later. A process that claims one sets `due_at` ahead and puts its name into `lease`, which stays until it is known what came of it: whether it was
-- sent is not known meanwhile. `text` and `file_ids` are emptied once it is sent.
CREATE TABLE scheduled_messages (
  id uuid PRIMARY KEY,
  author_id uuid NOT NULL REFERENCES users (id),
  channel_id uuid NOT NULL REFERENCES channels (id),
  thread_id uuid,
  text text NOT NULL,
  file_ids jsonb NOT NULL DEFAULT '[]',
  send_at timestamptz NOT NULL,
  status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'sent', 'failed')),
  failure text CHECK (failure IN ('channel_archived', 'not_a_member', 'author_deactivated', 'thread_gone', 'refused')),
  message_id uuid,
  settled_at timestamptz,
  due_at timestamptz NOT NULL,
  lease uuid,
  attempts integer NOT NULL DEFAULT 0,
  version integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  CHECK ((status = 'failed') = (failure IS NOT NULL)),
  CHECK ((status = 'sent') = (message_id IS NOT NULL)),
  CHECK ((status = 'pending') = (settled_at IS NULL))
);
--> statement-breakpoint
CREATE INDEX scheduled_messages_due ON scheduled_messages (due_at, id) WHERE status = 'pending';
--> statement-breakpoint
-- The order in which an author's messages to a channel go out.
CREATE INDEX scheduled_messages_order ON scheduled_messages (author_id, channel_id, send_at, id) WHERE status = 'pending';
--> statement-breakpoint
CREATE INDEX scheduled_messages_author ON scheduled_messages (author_id, send_at, id);
--> statement-breakpoint
CREATE INDEX scheduled_messages_settled ON scheduled_messages (settled_at) WHERE status <> 'pending';
--> statement-breakpoint
-- Who follows a thread, and from which reply on (`since_tpos`; null: they do not). `auto_since` is the fold of replies: of whoever wrote the root, replied or was named, the lowest tpos
-- behind which it concerned them. `choice` is what they said themselves, when the thread had come to `choice_tpos`; `renamed_tpos` the first reply after an unfollowing that names them.
CREATE TABLE thread_followers (
  root_id uuid NOT NULL,
  user_id uuid NOT NULL,
  channel_id uuid NOT NULL,
  auto_since bigint,
  choice text CHECK (choice IN ('followed', 'unfollowed')),
  choice_tpos bigint,
  choice_version integer NOT NULL DEFAULT 0,
  renamed_tpos bigint,
  since_tpos bigint GENERATED ALWAYS AS (CASE choice WHEN 'followed' THEN choice_tpos WHEN 'unfollowed' THEN renamed_tpos - 1 ELSE auto_since END) STORED,
  PRIMARY KEY (root_id, user_id),
  CHECK ((choice IS NULL) = (choice_tpos IS NULL))
);
--> statement-breakpoint
CREATE INDEX thread_followers_user ON thread_followers (user_id, channel_id);
--> statement-breakpoint
CREATE INDEX thread_followers_chosen ON thread_followers (user_id) WHERE choice IS NOT NULL;
--> statement-breakpoint
CREATE TABLE thread_read_states (
  user_id uuid NOT NULL,
  root_id uuid NOT NULL,
  channel_id uuid NOT NULL,
  read_tpos bigint NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (user_id, root_id)
);
--> statement-breakpoint
-- `version` rises with every save of a draft, also when it was deleted in between: milliseconds since 1970, or one more than the last.
CREATE TABLE drafts (
  user_id uuid NOT NULL REFERENCES users (id),
  channel_id uuid NOT NULL REFERENCES channels (id),
  thread_id uuid,
  text text NOT NULL,
  file_ids jsonb NOT NULL DEFAULT '[]',
  version bigint NOT NULL,
  updated_at timestamptz NOT NULL,
  UNIQUE NULLS NOT DISTINCT (user_id, channel_id, thread_id)
);
--> statement-breakpoint
CREATE INDEX drafts_newest ON drafts (user_id, version);
--> statement-breakpoint
-- What replies say of who follows their threads, for members of this moment; imported ones say nothing. Repeating it, in whatever order, changes nothing. Members are locked: who leaves
-- meanwhile waits, and then takes these rows along.
CREATE FUNCTION project_followers(p_channel uuid, p_batch drain_event[]) RETURNS void LANGUAGE plpgsql AS $function$
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
--> statement-breakpoint
CREATE OR REPLACE FUNCTION project_replies(p_channel uuid, p_batch drain_event[]) RETURNS void LANGUAGE plpgsql AS $function$
BEGIN
  INSERT INTO threads AS t (root_id, channel_id, reply_count, last_tpos, last_reply_at)
  SELECT b.thread_id, p_channel, count(*), max(b.tpos), max(b.at)
  FROM unnest(p_batch) b WHERE b.type = 'message.created' AND b.thread_id IS NOT NULL GROUP BY b.thread_id
  ON CONFLICT (root_id) DO UPDATE SET reply_count = t.reply_count + excluded.reply_count, last_tpos = excluded.last_tpos,
    last_reply_at = excluded.last_reply_at;
  PERFORM project_followers(p_channel, p_batch);
END $function$;
--> statement-breakpoint
-- The same of what was written before.
INSERT INTO thread_followers (root_id, user_id, channel_id, auto_since, renamed_tpos)
SELECT f.root_id, f.user_id, f.channel_id, min(f.since), min(f.named)
FROM (
  SELECT t.root_id, r.channel_id, r.author_id AS user_id, 0::bigint AS since, NULL::bigint AS named FROM threads t JOIN messages r ON r.id = t.root_id AND r.origin IS NULL
  WHERE EXISTS (SELECT FROM messages m WHERE m.thread_id = t.root_id AND m.origin IS NULL)
  UNION ALL
  SELECT m.thread_id, m.channel_id, m.author_id, m.tpos, NULL FROM messages m WHERE m.thread_id IS NOT NULL AND m.origin IS NULL
  UNION ALL
  SELECT m.thread_id, m.channel_id, u.id, m.tpos - 1, m.tpos
  FROM messages m CROSS JOIN LATERAL unnest((mentioned_handles(m.text))[1:50]) h JOIN users u ON u.handle = h AND u.id <> m.author_id
  WHERE m.thread_id IS NOT NULL AND m.origin IS NULL AND position('@' IN m.text) > 0
) f JOIN members k ON k.channel_id = f.channel_id AND k.user_id = f.user_id
GROUP BY f.root_id, f.user_id, f.channel_id;
