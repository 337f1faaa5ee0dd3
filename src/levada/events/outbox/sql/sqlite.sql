-- name: ddl.outbox
-- AUTOINCREMENT: a plain rowid is given out again after a delete, and the relay would pass over it.
CREATE TABLE IF NOT EXISTS levada_outbox (
  id        integer PRIMARY KEY AUTOINCREMENT,
  event_id  text NOT NULL,
  head      blob NOT NULL,
  data      blob NOT NULL,
  at        text NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  format    integer NOT NULL DEFAULT 1
)

-- name: ddl.effect
CREATE TABLE IF NOT EXISTS levada_effect (
  key     text PRIMARY KEY,
  digest  text NOT NULL,
  result  blob,
  fence   integer NOT NULL,
  at      text NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
)

-- name: append
INSERT INTO levada_outbox (event_id, head, data, format) VALUES (?, ?, ?, ?)

-- name: given
-- The highest id ever given out, also to rows that are deleted by now.
SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'levada_outbox'), 0) AS high

-- name: window
SELECT id, event_id, head, data, format, at FROM levada_outbox WHERE id > ? ORDER BY id LIMIT ?

-- name: clean
DELETE FROM levada_outbox WHERE id IN (SELECT id FROM levada_outbox WHERE id <= ? AND at <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?)
  ORDER BY id LIMIT ?)

-- name: effect.claim
INSERT INTO levada_effect (key, digest, fence) VALUES (?, ?, ?) ON CONFLICT (key) DO NOTHING

-- name: effect.get
SELECT digest, result, fence FROM levada_effect WHERE key = ?

-- name: effect.fence
UPDATE levada_effect SET fence = ? WHERE key = ? AND fence < ?

-- name: effect.record
UPDATE levada_effect SET result = ? WHERE key = ? AND result IS NULL

-- name: effect.clean
DELETE FROM levada_effect WHERE key IN (
  SELECT key FROM levada_effect WHERE at < strftime('%Y-%m-%dT%H:%M:%fZ', ? / 1000000.0, 'unixepoch') LIMIT ?)
