-- What a user chose to be seen as. Whether they are there is no matter of Postgres: their inbox knows it.
CREATE TABLE user_presence (
  user_id uuid PRIMARY KEY REFERENCES users (id),
  choice text NOT NULL CHECK (choice IN ('auto', 'away', 'dnd', 'offline')),
  status_text text,
  status_emoji text,
  -- Null: until it is taken back.
  status_expires_at timestamptz,
  version integer NOT NULL DEFAULT 1,
  CHECK (status_text IS NOT NULL OR (status_emoji IS NULL AND status_expires_at IS NULL))
);
