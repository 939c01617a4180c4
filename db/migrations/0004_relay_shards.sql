-- Of how many shards a row is one: its place is that of the keys whose last 16 bits, divided by shards, leave shard. All rows say the same.
ALTER TABLE relay_states ADD COLUMN shards integer NOT NULL DEFAULT 1;
