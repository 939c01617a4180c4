import type { Sql } from '../../db/client.ts';

const HEAD = `-- What all migrations together make, without partitions. Written by a test, which also compares:
--   npx vitest run --project pg db/schema.pg.test.ts --update
`;

/** The schema `public` as SQL that makes it again: no partitions, so that it is the same on every day. */
export async function dumpSchema(sql: Sql): Promise<string> {
  const parts = [await extensions(sql), await types(sql), await sequences(sql), await tables(sql), await foreignKeys(sql), await indexes(sql), await functions(sql), await triggers(sql)];
  return [HEAD, ...parts.flat().map(({ ddl }) => `${ddl};\n`)].join('\n');
}

type Ddl = { ddl: string }[];

const extensions = (sql: Sql): Promise<Ddl> => sql`
  SELECT format('CREATE EXTENSION %I', extname) AS ddl FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY extname`;

const types = (sql: Sql): Promise<Ddl> => sql`
  SELECT format(E'CREATE TYPE %I AS (\n%s\n)', c.relname,
    string_agg(format('  %I %s', a.attname, format_type(a.atttypid, a.atttypmod)), E',\n' ORDER BY a.attnum)) AS ddl
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  WHERE c.relkind = 'c' AND c.relnamespace = 'public'::regnamespace
  GROUP BY c.relname ORDER BY c.relname`;

/** Those of identity columns belong to their tables. */
const sequences = (sql: Sql): Promise<Ddl> => sql`
  SELECT format('CREATE SEQUENCE %I AS %s START %s INCREMENT %s CACHE %s', c.relname, s.seqtypid::regtype, s.seqstart, s.seqincrement, s.seqcache) AS ddl
  FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid
  WHERE c.relnamespace = 'public'::regnamespace
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'i')
  ORDER BY c.relname`;

const tables = (sql: Sql): Promise<Ddl> => sql`
  SELECT format(E'CREATE TABLE %I (\n%s\n)%s%s', c.relname, concat_ws(E',\n', col.list, con.list),
    ' PARTITION BY ' || pg_get_partkeydef(c.oid), ' WITH (' || array_to_string(c.reloptions, ', ') || ')') AS ddl
  FROM pg_class c,
    LATERAL (
      SELECT string_agg('  ' || concat_ws(' ', quote_ident(a.attname), format_type(a.atttypid, a.atttypmod),
          CASE WHEN a.attidentity = 'a' THEN 'GENERATED ALWAYS AS IDENTITY' WHEN a.attgenerated = 's' THEN 'GENERATED ALWAYS AS (' || d.expr || ') STORED'
               ELSE 'DEFAULT ' || d.expr END,
          CASE WHEN a.attnotnull THEN 'NOT NULL' END), E',\n' ORDER BY a.attnum) AS list
      FROM pg_attribute a LEFT JOIN LATERAL (
        SELECT pg_get_expr(adbin, adrelid) AS expr FROM pg_attrdef WHERE adrelid = a.attrelid AND adnum = a.attnum
      ) d ON true
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    ) col,
    LATERAL (
      SELECT string_agg(format('  CONSTRAINT %I %s', conname, pg_get_constraintdef(oid, true)), E',\n' ORDER BY contype DESC, conname) AS list
      FROM pg_constraint WHERE conrelid = c.oid AND contype IN ('c', 'p', 'u')
    ) con
  WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace
  ORDER BY c.relname`;

const foreignKeys = (sql: Sql): Promise<Ddl> => sql`
  SELECT format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid, true)) AS ddl
  FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace AND conparentid = 0 ORDER BY conname`;

/** `ON ONLY` is how Postgres writes the index of a partitioned table, and would make one that is not valid. */
const indexes = (sql: Sql): Promise<Ddl> => sql`
  SELECT replace(pg_get_indexdef(i.indexrelid, 0, true), ' ON ONLY ', ' ON ') AS ddl
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
  WHERE c.relnamespace = 'public'::regnamespace AND NOT c.relispartition
    AND NOT EXISTS (SELECT FROM pg_constraint p WHERE p.conindid = c.oid AND p.contype IN ('p', 'u'))
  ORDER BY c.relname`;

const functions = (sql: Sql): Promise<Ddl> => sql`
  SELECT rtrim(pg_get_functiondef(p.oid), E'\n') AS ddl FROM pg_proc p
  WHERE p.pronamespace = 'public'::regnamespace
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
  ORDER BY p.proname <> 'uuid_floor', p.proname <> 'missing_partitions', p.proname`;

const triggers = (sql: Sql): Promise<Ddl> => sql`
  SELECT pg_get_triggerdef(t.oid, true) AS ddl FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
  WHERE c.relnamespace = 'public'::regnamespace AND NOT t.tgisinternal AND t.tgparentid = 0
  ORDER BY c.relname, t.tgname`;
