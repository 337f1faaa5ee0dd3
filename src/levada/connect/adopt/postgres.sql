-- The columns of the tables and views of a schema, each with what is known of its type and of its table.
-- $1: the schema, or null: those of the search path.
SELECT c.relname AS table_name, n.nspname AS schema_name, obj_description(c.oid, 'pg_class') AS table_doc,
  a.attname AS column_name, coalesce(base.typname, t.typname) AS type_name, a.attnotnull AS not_null,
  col_description(c.oid, a.attnum) AS column_doc,
  (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid) AS labels,
  array_position(k.columns, a.attnum) AS key_position,
  (SELECT array_agg(pg_get_constraintdef(s.oid)) FROM pg_constraint s
    WHERE s.conrelid = c.oid AND s.contype = 'c' AND s.convalidated AND s.conkey = ARRAY[a.attnum]) AS checks
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_type base ON t.typtype = 'd' AND base.oid = t.typbasetype
LEFT JOIN LATERAL (
  -- The primary key, or else the shortest unique key without null.
  SELECT (string_to_array(i.indkey::text, ' ')::smallint[])[1:i.indnkeyatts] AS columns
  FROM pg_index i
  WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
    AND NOT EXISTS (SELECT 1 FROM pg_attribute ka
      WHERE ka.attrelid = c.oid AND ka.attnum = ANY (i.indkey) AND NOT ka.attnotnull)
  ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid LIMIT 1
) k ON true
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND (n.nspname = $1 OR ($1::text IS NULL AND n.nspname = ANY (current_schemas(false)) AND pg_table_is_visible(c.oid)))
ORDER BY c.relname, a.attnum;
