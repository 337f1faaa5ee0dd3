-- What is past its time: runs that have ended, arrivals that nobody can wait for, counts of calls.

-- name: purge.runs
-- Ended runs past their time, a bounded number: those of events up to one time, those of calls up to another.
SELECT id FROM levada_run
WHERE state IN ('done', 'compensated')
  AND changed < CASE WHEN subscription IS NULL THEN CAST(:called AS bigint) ELSE CAST(:before AS bigint) END
ORDER BY changed LIMIT CAST(:n AS bigint)

-- name: purge.runs_count
-- How many these are in all.
SELECT count(*) AS n FROM levada_run
WHERE state IN ('done', 'compensated')
  AND changed < CASE WHEN subscription IS NULL THEN CAST(:called AS bigint) ELSE CAST(:before AS bigint) END

-- name: purge.journal [sqlite]
-- The journals of runs; ids is a JSON list.
DELETE FROM levada_journal WHERE run IN (SELECT value FROM json_each(:ids))

-- name: purge.journal [postgresql]
-- The journals of runs; ids is a JSON list.
DELETE FROM levada_journal WHERE run IN (SELECT jsonb_array_elements_text(CAST(CAST(:ids AS text) AS jsonb)))

-- name: purge.waits [sqlite]
-- The waits of runs; ids is a JSON list.
DELETE FROM levada_wait WHERE run IN (SELECT value FROM json_each(:ids))

-- name: purge.waits [postgresql]
-- The waits of runs; ids is a JSON list.
DELETE FROM levada_wait WHERE run IN (SELECT jsonb_array_elements_text(CAST(CAST(:ids AS text) AS jsonb)))

-- name: purge.run [sqlite]
-- The runs themselves, if they are ended still; ids is a JSON list.
DELETE FROM levada_run WHERE state IN ('done', 'compensated') AND id IN (SELECT value FROM json_each(:ids))

-- name: purge.run [postgresql]
-- The runs themselves, if they are ended still; ids is a JSON list.
DELETE FROM levada_run WHERE state IN ('done', 'compensated')
  AND id IN (SELECT jsonb_array_elements_text(CAST(CAST(:ids AS text) AS jsonb)))

-- name: purge.needed
-- From when on arrivals may be needed: by open runs, by events still to be read, by those put aside. Null: by nobody.
SELECT min(at) AS at FROM (
  SELECT min(CASE WHEN since < created THEN since ELSE created END) AS at FROM levada_run
  WHERE state NOT IN ('done', 'compensated')
  UNION ALL
  SELECT min(l.at) FROM levada_position p JOIN levada_log l ON l.topic = p.topic AND l.part = p.part AND l.pos = p.next
  UNION ALL
  SELECT min(l.at) FROM levada_parked k JOIN levada_log l ON l.topic = k.topic AND l.part = k.part AND l.pos = k.pos
  UNION ALL
  SELECT min(CASE WHEN appended < at THEN appended ELSE at END) FROM levada_parked) AS times

-- name: purge.arrivals
-- Arrivals taken in, and of events from, before a time; a bounded number.
DELETE FROM levada_arrived WHERE position IN (
  SELECT position FROM levada_arrived WHERE taken_in < :before AND at < :before
  ORDER BY taken_in LIMIT CAST(:n AS bigint))

-- name: purge.arrivals_count
-- How many these are in all.
SELECT count(*) AS n FROM levada_arrived WHERE taken_in < :before AND at < :before

-- name: purge.arrival_keys
-- Keys of which nothing has arrived and for which nobody waits; a bounded number.
DELETE FROM levada_arrival_key WHERE seen < :before AND (type, key) IN (
  SELECT k.type, k.key FROM levada_arrival_key k WHERE k.seen < :before
    AND NOT EXISTS (SELECT 1 FROM levada_arrived a WHERE a.type = k.type AND a.key = k.key)
    AND NOT EXISTS (SELECT 1 FROM levada_wait w WHERE w.type = k.type AND w.key = k.key AND w.state = 'open')
  LIMIT CAST(:n AS bigint))

-- name: purge.log_count
-- Events of a topic appended before a time.
SELECT count(*) AS n FROM levada_log WHERE topic = :topic AND appended < :before
