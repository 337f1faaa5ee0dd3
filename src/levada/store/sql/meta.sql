-- What the store knows of itself: its schema, its clock, its wake-ups.

-- name: meta.get
-- One value.
SELECT value FROM levada_meta WHERE name = :name

-- name: meta.set
-- Write one value.
INSERT INTO levada_meta (name, value) VALUES (:name, :value)
ON CONFLICT (name) DO UPDATE SET value = excluded.value

-- name: schema.there [sqlite]
-- Whether this database has the list of migrations; a row if so.
SELECT 1 AS there FROM sqlite_master WHERE type = 'table' AND name = 'levada_migration'

-- name: schema.there [postgresql]
-- Whether this database has the list of migrations; a row if so.
SELECT 1 AS there WHERE to_regclass('levada_migration') IS NOT NULL

-- name: schema.create
-- Make the list of migrations.
CREATE TABLE IF NOT EXISTS levada_migration (number bigint PRIMARY KEY, name text NOT NULL, at bigint NOT NULL)

-- name: schema.done
-- The migrations that were applied.
SELECT number, name, at FROM levada_migration ORDER BY number

-- name: schema.add
-- Note that a migration was applied.
INSERT INTO levada_migration (number, name, at) VALUES (:number, :name, :now)

-- name: schema.lock [postgresql]
-- Let one process at a time migrate.
SELECT CAST(pg_advisory_xact_lock(7811887467) AS text) AS held

-- name: store.clock [postgresql]
-- The database's clock.
SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint) AS now

-- name: store.latest [postgresql]
-- The latest time that the store's processes have told: the clock may have been set back since.
SELECT CAST(coalesce(greatest(
  (SELECT max(seen) FROM levada_subscription), (SELECT max(epoch) FROM levada_worker),
  (SELECT max(last) FROM levada_partition), (SELECT max(at) FROM levada_call_flush)), 0) AS bigint) AS at

-- name: store.begin [postgresql]
-- Time and number of this transaction, and which start of the server this is.
SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint) AS now,
       CAST(pg_current_xact_id() AS text) AS xact, CAST(pg_postmaster_start_time() AS text) AS server

-- name: store.fate [postgresql]
-- What became of a transaction whose connection was lost; another start of the server cannot be trusted to know.
SELECT pg_xact_status(CAST(CAST(:xact AS text) AS xid8)) AS fate, CAST(pg_postmaster_start_time() AS text) AS server

-- name: store.notify [postgresql]
-- Wake listeners once this transaction has committed; channels is a JSON list.
SELECT count(pg_notify('levada', channel)) AS told FROM jsonb_array_elements_text(CAST(CAST(:channels AS text) AS jsonb)) AS channel

-- name: store.time
-- The store's clock as a statement sees it.
SELECT CAST(:now AS bigint) AS now

-- name: store.kinds
-- A truth and a sum, which databases give as different kinds of values.
SELECT EXISTS (SELECT 1) AS yes, sum(n) AS whole FROM (SELECT CAST(3 AS bigint) AS n UNION ALL SELECT 4) AS numbers

-- name: store.check [sqlite]
-- Fails where the file may not be written; undone at once.
CREATE TABLE levada_check (n integer)
