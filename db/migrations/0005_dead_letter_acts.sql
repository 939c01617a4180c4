-- Work on dead letters. `redriving`: handed to its group's queue, not tried yet.
ALTER TABLE dead_letters DROP CONSTRAINT dead_letters_status_check;
--> statement-breakpoint
ALTER TABLE dead_letters ADD CONSTRAINT dead_letters_status_check CHECK (status IN ('pending', 'redriving', 'redriven', 'discarded'));
--> statement-breakpoint
ALTER TABLE dead_letters
  -- The order in which they came; lists page by it.
  ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY,
  -- Rises with every act.
  ADD COLUMN version integer NOT NULL DEFAULT 1,
  -- What is redriven in the place of what came; null: that itself.
  ADD COLUMN edited_key bytea,
  ADD COLUMN edited_value bytea,
  ADD COLUMN edited_headers jsonb;
--> statement-breakpoint
CREATE UNIQUE INDEX dead_letters_number ON dead_letters (number);
--> statement-breakpoint
-- Who did what to a dead letter, when and why. Rows are added, never changed.
CREATE TABLE dead_letter_acts (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  dead_letter_id uuid NOT NULL REFERENCES dead_letters (id),
  at timestamptz NOT NULL DEFAULT now(),
  -- `cli:<name>`, `user:<id>`, or `group:<id>` for what became of a redrive.
  actor text NOT NULL,
  act text NOT NULL CHECK (act IN ('edit', 'redrive', 'discard', 'succeed', 'fail')),
  reason text,
  detail jsonb NOT NULL DEFAULT '{}'
);
--> statement-breakpoint
CREATE INDEX dead_letter_acts_letter ON dead_letter_acts (dead_letter_id, id);
--> statement-breakpoint
CREATE FUNCTION refuse_act_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'dead_letter_acts takes new rows only' USING ERRCODE = 'restrict_violation';
END $$;
--> statement-breakpoint
CREATE TRIGGER dead_letter_acts_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON dead_letter_acts
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_act_change();
--> statement-breakpoint
-- A redriven record takes its place among the records that wait, by its position in the log.
ALTER TABLE parked_records
  ADD COLUMN position bigint NOT NULL GENERATED ALWAYS AS ((headers ->> 'log_position')::bigint) STORED,
  ADD COLUMN dead_letter_id uuid REFERENCES dead_letters (id);
--> statement-breakpoint
DROP INDEX parked_records_key;
--> statement-breakpoint
CREATE INDEX parked_records_key ON parked_records (group_id, topic, key, position, id);
