-- The forms of events and operations that rows of this store were written in.

-- name: form.kept
-- All forms, oldest first.
SELECT name, digest, kind, body, since, until FROM levada_form ORDER BY name, since, digest

-- name: form.current
-- A form is what a deployment has now: add it, or take it up again.
INSERT INTO levada_form (name, digest, kind, body, since) VALUES (:name, :digest, :kind, :body, :now)
ON CONFLICT (name, digest) DO UPDATE SET until = NULL

-- name: form.replaced
-- A deployment has come without this form; the first one counts.
UPDATE levada_form SET until = :now WHERE name = :name AND digest = :digest AND until IS NULL

-- name: form.event_needed
-- Whether anything here may still be read in an event's form: the log, what was put aside, runs, arrivals.
SELECT
  (SELECT count(*) FROM (SELECT 1 FROM levada_log WHERE topic = :topic AND appended <= CAST(:until AS bigint) LIMIT 1) AS a)
    + (SELECT count(*) FROM (SELECT 1 FROM levada_parked WHERE topic = :topic AND appended <= CAST(:until AS bigint) LIMIT 1) AS b) AS events,
  (SELECT count(*) FROM levada_run WHERE type = :type AND created <= CAST(:until AS bigint)
    AND state NOT IN ('done', 'compensated')) AS runs,
  (SELECT count(*) FROM (SELECT 1 FROM levada_arrived WHERE type = :type AND taken_in <= CAST(:until AS bigint) LIMIT 1) AS c) AS arrivals

-- name: form.operation_needed
-- How many open runs have a call of this operation in their journals, or are its runs.
SELECT count(*) AS runs FROM levada_run r
WHERE r.state NOT IN ('done', 'compensated') AND r.created <= CAST(:until AS bigint)
  AND (r.code = :code OR EXISTS (SELECT 1 FROM levada_journal j WHERE j.run = r.id AND j.operation = :operation))
