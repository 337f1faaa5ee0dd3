-- name: ddl.outbox
-- The transaction's id tells the relay what is finished: a sequence number is not commit order.
CREATE TABLE IF NOT EXISTS levada_outbox (
  id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tx        xid8 NOT NULL DEFAULT pg_current_xact_id(),
  event_id  text NOT NULL,
  head      bytea NOT NULL,
  data      bytea NOT NULL,
  at        timestamptz NOT NULL DEFAULT clock_timestamp(),
  format    integer NOT NULL DEFAULT 1
)

-- name: ddl.outbox_tx
CREATE INDEX IF NOT EXISTS levada_outbox_tx ON levada_outbox (tx, id)

-- name: ddl.effect
CREATE TABLE IF NOT EXISTS levada_effect (
  key     text PRIMARY KEY,
  digest  text NOT NULL,
  result  bytea,
  fence   bigint NOT NULL,
  at      timestamptz NOT NULL DEFAULT clock_timestamp()
)

-- name: append
INSERT INTO levada_outbox (event_id, head, data, format) VALUES ($1, $2, $3, $4)

-- name: horizon
-- All transactions below the horizon are finished; none at or above top has begun.
SELECT pg_snapshot_xmin(s)::text::bigint AS high, pg_snapshot_xmax(s)::text::bigint AS top
FROM pg_current_snapshot() AS s

-- name: window
SELECT id, event_id, head, data, format, at FROM levada_outbox
WHERE tx >= ($1::bigint)::text::xid8 AND tx < ($2::bigint)::text::xid8 AND id > $3
ORDER BY id LIMIT $4

-- name: clean
-- Within the window, only what is before the last id is relayed.
DELETE FROM levada_outbox WHERE id IN (
  SELECT id FROM levada_outbox
  WHERE (tx < ($1::bigint)::text::xid8 OR (tx < ($2::bigint)::text::xid8 AND id <= $3))
    AND at <= clock_timestamp() - make_interval(secs => ($5)::double precision)
  ORDER BY tx LIMIT $4)

-- name: effect.claim
INSERT INTO levada_effect (key, digest, fence) VALUES ($1, $2, $3) ON CONFLICT (key) DO NOTHING

-- name: effect.get
SELECT digest, result, fence FROM levada_effect WHERE key = $1 FOR UPDATE

-- name: effect.fence
UPDATE levada_effect SET fence = $1 WHERE key = $2 AND fence < $3

-- name: effect.record
UPDATE levada_effect SET result = $1 WHERE key = $2 AND result IS NULL

-- name: effect.clean
DELETE FROM levada_effect WHERE key IN (
  SELECT key FROM levada_effect WHERE at < to_timestamp(($1)::double precision / 1000000) LIMIT $2)
