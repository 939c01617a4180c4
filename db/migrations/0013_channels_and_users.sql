-- What a channel is for, beside what is talked about at the moment.
ALTER TABLE channels ADD COLUMN purpose text NOT NULL DEFAULT '';
--> statement-breakpoint
-- A direct channel is its set of members, in rising order: there is one of each set, whoever asks for it how often.
ALTER TABLE channels ADD COLUMN direct_user_ids uuid[];
--> statement-breakpoint
ALTER TABLE channels ADD CONSTRAINT channels_direct_check CHECK ((kind = 'direct') = (direct_user_ids IS NOT NULL) AND cardinality(direct_user_ids) BETWEEN 1 AND 9);
--> statement-breakpoint
CREATE UNIQUE INDEX channels_direct ON channels (direct_user_ids);
--> statement-breakpoint
-- A direct channel that a member has closed: it is not listed to them until there is a message after this one.
ALTER TABLE members ADD COLUMN closed_pos bigint;
--> statement-breakpoint
ALTER TABLE users ADD COLUMN title text NOT NULL DEFAULT '';
--> statement-breakpoint
ALTER TABLE users ADD COLUMN pronouns text NOT NULL DEFAULT '';
--> statement-breakpoint
ALTER TABLE users ADD COLUMN time_zone text;
--> statement-breakpoint
-- Whether the user has chosen their displayed name: then the identity provider does not change it any more.
ALTER TABLE users ADD COLUMN is_self_named boolean NOT NULL DEFAULT false;
--> statement-breakpoint
-- False: they signed in where it takes an invitation, and have none yet.
ALTER TABLE users ADD COLUMN is_admitted boolean NOT NULL DEFAULT true;
--> statement-breakpoint
CREATE INDEX users_trgm ON users USING gin (handle gin_trgm_ops, display_name gin_trgm_ops);
--> statement-breakpoint
-- Handles that were given up. Nobody else gets one of them: what was written to it stays written to its user.
CREATE TABLE former_handles (
  handle text PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES users (id),
  given_up_at timestamptz NOT NULL
);
--> statement-breakpoint
CREATE INDEX former_handles_user ON former_handles (user_id);
--> statement-breakpoint
CREATE TABLE user_settings (
  user_id uuid PRIMARY KEY REFERENCES users (id),
  theme text NOT NULL CHECK (theme IN ('system', 'light', 'dark')),
  time_format text NOT NULL CHECK (time_format IN ('auto', '12h', '24h')),
  version integer NOT NULL DEFAULT 1
);
--> statement-breakpoint
-- Links by which people come in. `role`: what somebody becomes who has no place here yet.
CREATE TABLE invitations (
  id uuid PRIMARY KEY,
  secret_hash bytea NOT NULL UNIQUE,
  created_by uuid NOT NULL REFERENCES users (id),
  role text NOT NULL CHECK (role IN ('member', 'guest')),
  max_uses integer NOT NULL CHECK (max_uses > 0),
  uses integer NOT NULL DEFAULT 0 CHECK (uses <= max_uses),
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz
);
--> statement-breakpoint
CREATE INDEX invitations_creator ON invitations (created_by, id);
--> statement-breakpoint
CREATE TABLE invitation_channels (
  invitation_id uuid NOT NULL REFERENCES invitations (id) ON DELETE CASCADE,
  channel_id uuid NOT NULL REFERENCES channels (id),
  PRIMARY KEY (invitation_id, channel_id)
);
--> statement-breakpoint
CREATE TABLE invitation_uses (
  invitation_id uuid NOT NULL REFERENCES invitations (id) ON DELETE CASCADE,
  user_id uuid NOT NULL REFERENCES users (id),
  used_at timestamptz NOT NULL,
  PRIMARY KEY (invitation_id, user_id)
);
