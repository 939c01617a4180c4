-- When a group took its first batch: what happened long before is no news. Groups that have read already began at the beginning.
CREATE TABLE consumer_groups (
  group_id text PRIMARY KEY,
  started_at timestamptz NOT NULL DEFAULT now()
);
--> statement-breakpoint
INSERT INTO consumer_groups (group_id, started_at) SELECT DISTINCT group_id, 'epoch'::timestamptz FROM consumer_offsets;
