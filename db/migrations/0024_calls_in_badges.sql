-- What called a user in a channel without naming them: a keyword of theirs, @channel or @here. Counted in badges as their mentions are.
CREATE INDEX notifications_calls ON notifications (user_id, channel_id, pos) WHERE reason IN ('keyword', 'channel_mention') AND pos IS NOT NULL;
