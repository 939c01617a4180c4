-- Derived by search-indexer from user.events (G7): everybody there ever was; who is deactivated is marked, and not found.
CREATE TABLE search_people (
  id uuid PRIMARY KEY,
  handle text NOT NULL,
  display_name text NOT NULL,
  version integer NOT NULL,
  deactivated boolean NOT NULL
);
--> statement-breakpoint
CREATE INDEX search_people_trgm ON search_people USING gin (handle gin_trgm_ops, display_name gin_trgm_ops);
--> statement-breakpoint
-- Derived by search-indexer from file.events (G7): the files that are clean and not deleted.
CREATE TABLE search_files (
  id uuid PRIMARY KEY,
  channel_id uuid NOT NULL,
  uploader_id uuid NOT NULL,
  name text NOT NULL,
  version integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX search_files_trgm ON search_files USING gin (name gin_trgm_ops);
--> statement-breakpoint
CREATE INDEX search_files_channel ON search_files (channel_id, id);
--> statement-breakpoint
-- What the index of each kind was made with: searches ask with the same. Changed by the transaction that swaps the tables.
CREATE TABLE search_indexes (
  kind text PRIMARY KEY CHECK (kind IN ('messages', 'people', 'files')),
  -- The text search configuration of `tsv`; null where there is none.
  config text
);
--> statement-breakpoint
INSERT INTO search_indexes (kind, config) VALUES ('messages', 'simple'), ('people', NULL), ('files', NULL);
--> statement-breakpoint
-- A rebuild of one index, from its start until the table it replaced is dropped. While it is `filling` or `filled` the group writes down what it changes.
CREATE TABLE search_rebuilds (
  kind text PRIMARY KEY REFERENCES search_indexes (kind),
  source text NOT NULL CHECK (source IN ('postgres', 'log')),
  config text,
  state text NOT NULL DEFAULT 'filling' CHECK (state IN ('filling', 'filled', 'swapped')),
  -- How far the new table is filled: an id, or a place in the event log.
  cursor text,
  -- Rows that were filled in.
  filled bigint NOT NULL DEFAULT 0,
  started_at timestamptz NOT NULL DEFAULT now(),
  -- A rebuild that nobody works on is not written down for after a day, so that it costs nothing for ever.
  updated_at timestamptz NOT NULL DEFAULT now()
);
--> statement-breakpoint
-- What the group changed in the live index meanwhile: these are read once more before the swap.
CREATE TABLE search_rebuild_changes (
  kind text NOT NULL,
  id uuid NOT NULL,
  PRIMARY KEY (kind, id)
);
--> statement-breakpoint
-- Whether the group has to write down what it changes of an index.
CREATE FUNCTION is_rebuilding(p_kind text) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT FROM search_rebuilds r WHERE r.kind = p_kind AND r.state <> 'swapped' AND r.updated_at > now() - interval '1 day')
$$;
--> statement-breakpoint
-- Gives search_messages_next the months that messages has and it has not; returns how many.
CREATE FUNCTION mirror_search_partitions() RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  made integer := 0;
  missing record;
BEGIN
  FOR missing IN
    SELECT 'search_messages_next' || substring(c.relname FROM length('messages') + 1) AS child, pg_get_expr(c.relpartbound, c.oid) AS bound
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'messages'::regclass AND NOT i.inhdetachpending
  LOOP
    CONTINUE WHEN to_regclass(missing.child) IS NOT NULL;
    EXECUTE format('CREATE TABLE %I PARTITION OF search_messages_next %s', missing.child, missing.bound);
    made := made + 1;
  END LOOP;
  RETURN made;
END $$;
--> statement-breakpoint
-- Makes the empty table that is to replace an index: search_<kind>_next, with the present definition and this configuration.
CREATE FUNCTION create_next_search_table(p_kind text, p_config text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  next text := 'search_' || p_kind || '_next';
BEGIN
  IF p_kind <> 'messages' THEN
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', next, 'search_' || p_kind);
    RETURN;
  END IF;
  EXECUTE format('CREATE TABLE search_messages_next (
      id uuid NOT NULL, channel_id uuid NOT NULL, author_id uuid NOT NULL, seq bigint NOT NULL, text text NOT NULL,
      tsv tsvector NOT NULL GENERATED ALWAYS AS (to_tsvector(%L::regconfig, text)) STORED, PRIMARY KEY (id)
    ) PARTITION BY RANGE (id)', p_config);
  CREATE INDEX search_messages_next_tsv ON search_messages_next USING gin (tsv);
  CREATE INDEX search_messages_next_trgm ON search_messages_next USING gin (text gin_trgm_ops);
  PERFORM mirror_search_partitions();
END $$;
--> statement-breakpoint
-- Renames a table of search, its partitions and all their indexes: those that begin with p_from begin with p_to afterwards.
CREATE FUNCTION rename_search_table(p_from text, p_to text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  one record;
BEGIN
  FOR one IN
    WITH RECURSIVE tables AS (
      SELECT to_regclass(p_from)::oid AS oid
      UNION ALL SELECT i.inhrelid FROM pg_inherits i JOIN tables t ON i.inhparent = t.oid
    ), named AS (
      SELECT c.oid, c.relname, c.relkind FROM tables t JOIN pg_class c ON c.oid = t.oid
      UNION ALL SELECT c.oid, c.relname, c.relkind FROM tables t JOIN pg_index x ON x.indrelid = t.oid JOIN pg_class c ON c.oid = x.indexrelid
    )
    SELECT n.relname, n.relkind IN ('i', 'I') AS is_index, p_to || substring(n.relname FROM length(p_from) + 1) AS renamed
    FROM named n WHERE starts_with(n.relname, p_from)
  LOOP
    EXECUTE format(CASE WHEN one.is_index THEN 'ALTER INDEX %I RENAME TO %I' ELSE 'ALTER TABLE %I RENAME TO %I' END, one.relname, one.renamed);
  END LOOP;
END $$;
--> statement-breakpoint
INSERT INTO search_people (id, handle, display_name, version, deactivated)
SELECT u.id, u.handle, u.display_name, u.version, u.deactivated_at IS NOT NULL FROM users u;
--> statement-breakpoint
INSERT INTO search_files (id, channel_id, uploader_id, name, version)
SELECT f.id, f.channel_id, f.uploader_id, f.name, f.version FROM files f WHERE f.status = 'clean' AND f.deleted_at IS NULL;
