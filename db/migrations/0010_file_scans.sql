-- What became of the scan of each file, and what waits to be scanned: written by the group file-scanner and its workers alone.
CREATE TABLE file_scans (
  file_id uuid PRIMARY KEY REFERENCES files (id) ON DELETE CASCADE,
  -- 'refused': it cannot be scanned, for the reason in `failure`; its file stays as it is until somebody asks again.
  state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'clean', 'infected', 'refused')),
  -- Asked for once more, as with new signatures: what is new goes before.
  is_again boolean NOT NULL DEFAULT false,
  requested_at timestamptz NOT NULL DEFAULT now(),
  -- While it waits: when it is to be tried; while `lease` is set, when whoever holds it has lost it.
  due_at timestamptz NOT NULL DEFAULT now(),
  lease uuid,
  -- Tries that have failed since it was requested, not counting those where something else was away.
  attempts integer NOT NULL DEFAULT 0,
  failure text,
  -- By clamd's word; for administrators alone.
  signature text,
  scanned_at timestamptz
);
--> statement-breakpoint
CREATE INDEX file_scans_due ON file_scans (is_again, due_at) WHERE state = 'waiting';
--> statement-breakpoint
CREATE INDEX file_scans_notable ON file_scans (state, file_id) WHERE state IN ('infected', 'refused');
