-- Digests of unread notices by e-mail: where they go, when, and how far they have come. No row: nobody has vouched for an address yet, and nothing was chosen.
CREATE TABLE email_digests (
  user_id uuid PRIMARY KEY REFERENCES users (id),
  -- As the identity provider verified it at the last sign-in that said anything of it.
  address text CHECK (octet_length(address) <= 254),
  mode text NOT NULL DEFAULT 'off' CHECK (mode IN ('off', 'after', 'daily')),
  after_minutes integer NOT NULL DEFAULT 15 CHECK (after_minutes BETWEEN 5 AND 1440),
  daily_hour smallint NOT NULL DEFAULT 8 CHECK (daily_hour BETWEEN 0 AND 23),
  version integer NOT NULL DEFAULT 0,
  -- Notices up to here were mailed, or were there before mails were wanted.
  mailed_seq bigint NOT NULL DEFAULT 0,
  mailed_at timestamptz,
  -- When it is to be looked at; while somebody does, when it is due should they never say what came of it. Null: nothing is unread.
  due_at timestamptz,
  lease uuid,
  failures integer NOT NULL DEFAULT 0,
  -- The digest under way, and up to which notice it goes: the same however often it is tried.
  digest_id uuid,
  digest_seq bigint,
  CHECK ((digest_id IS NULL) = (digest_seq IS NULL))
) WITH (fillfactor = 80);
--> statement-breakpoint
CREATE INDEX email_digests_due ON email_digests (due_at) WHERE due_at IS NOT NULL;
