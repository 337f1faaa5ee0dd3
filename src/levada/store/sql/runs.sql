-- Runs: workers, claims, journals, waits, arrivals, the order of keys.

-- name: runs.worker_begin
-- Register a worker under a lease.
INSERT INTO levada_worker (id, epoch, lease, host, started)
VALUES (:worker, :epoch, :now + CAST(:lease AS bigint), :host, :now)

-- name: runs.worker_renew
-- Lengthen a worker's lease; no row when it was taken for dead.
UPDATE levada_worker SET lease = :now + CAST(:lease AS bigint) WHERE id = :worker AND epoch = :epoch

-- name: runs.worker_end
-- A worker that stops of its own will.
DELETE FROM levada_worker WHERE id = :worker AND epoch = :epoch

-- name: runs.workers_expire
-- Take workers whose lease has run out for dead; from here on their units are refused.
DELETE FROM levada_worker WHERE lease < :now

-- name: runs.orphans
-- Set free what belongs to no living worker. Comes after `workers_expire` in its unit.
UPDATE levada_run
SET worker = NULL, changed = :now, state = CASE WHEN state = 'running' THEN 'scheduled' ELSE state END
WHERE worker IS NOT NULL AND worker NOT IN (SELECT id FROM levada_worker)
RETURNING id

-- name: runs.worker_guard [sqlite]
-- The worker's lease still stands.
SELECT 1 AS held FROM levada_worker WHERE id = :worker AND epoch = :epoch

-- name: runs.worker_guard [postgresql]
-- The worker's lease still stands, and does so until this unit has ended.
SELECT 1 AS held FROM levada_worker WHERE id = :worker AND epoch = :epoch FOR SHARE

-- name: runs.guard [sqlite]
-- The worker's lease still stands and the run is its own.
SELECT 1 AS held FROM levada_run r JOIN levada_worker w ON w.id = r.worker
WHERE r.id = :run AND w.id = :worker AND w.epoch = :epoch

-- name: runs.guard [postgresql]
-- The worker's lease still stands and the run is its own, until this unit has ended.
SELECT 1 AS held FROM levada_run r JOIN levada_worker w ON w.id = r.worker
WHERE r.id = :run AND w.id = :worker AND w.epoch = :epoch FOR SHARE OF w

-- name: runs.claim [sqlite]
-- Take runs that can go on and whose code this worker has, oldest due first.
UPDATE levada_run
SET worker = :worker, fence = fence + 1, changed = :now,
    state = CASE WHEN state = 'scheduled' THEN 'running' ELSE state END
WHERE id IN (
  SELECT id FROM levada_run
  WHERE ready = 1 AND worker IS NULL AND due <= :now AND code IN (SELECT value FROM json_each(:codes))
  ORDER BY due LIMIT :n)
RETURNING *

-- name: runs.claim [postgresql]
-- Take runs that can go on and whose code this worker has, oldest due first.
UPDATE levada_run
SET worker = :worker, fence = fence + 1, changed = :now,
    state = CASE WHEN state = 'scheduled' THEN 'running' ELSE state END
WHERE id IN (
  SELECT id FROM levada_run
  WHERE ready = 1 AND worker IS NULL AND due <= :now
    AND code IN (SELECT jsonb_array_elements_text(CAST(CAST(:codes AS text) AS jsonb)))
  ORDER BY due LIMIT CAST(:n AS bigint) FOR UPDATE SKIP LOCKED)
RETURNING *

-- name: runs.lane_touch
-- Lock a key's lane and take the next place in it.
INSERT INTO levada_lane (lane, next) VALUES (:lane, 1)
ON CONFLICT (lane) DO UPDATE SET next = levada_lane.next + 1

-- name: runs.lane_lock
-- Lock a key's lane.
UPDATE levada_lane SET next = next WHERE lane = :lane

-- name: runs.lane_next
-- Let the first of a lane go on, unless it is stuck or keeps the key while it waits.
UPDATE levada_run SET ready = 1
WHERE id = (SELECT id FROM levada_run WHERE lane = :lane AND place IS NOT NULL ORDER BY place LIMIT 1)
  AND queued = 1 AND ready = 0

-- name: runs.lane_tidy
-- Forget a lane in which nothing stands.
DELETE FROM levada_lane WHERE lane = :lane
  AND NOT EXISTS (SELECT 1 FROM levada_run WHERE lane = :lane AND place IS NOT NULL)

-- name: runs.add [sqlite]
-- Make a run, unless it exists; it stands last in its lane.
INSERT INTO levada_run (id, keyed, code, state, type, event, subscription, generation, topic, part, pos, key, lane,
  place, queued, ready, across, due, mark, since, input, initiator, traceparent, created, changed)
VALUES (:run, :keyed, :code, 'scheduled', :type, :event, :subscription, :generation, :topic, :part, :pos, :key, :lane,
  (SELECT next FROM levada_lane WHERE lane = :lane), 1,
  CASE WHEN EXISTS (SELECT 1 FROM levada_run WHERE lane = :lane AND place IS NOT NULL) THEN 0 ELSE 1 END,
  :across, :now, (SELECT coalesce(max(position), 0) + 1 FROM levada_arrived), coalesce(:since, :now),
  :input, :initiator, :traceparent, :now, :now)
ON CONFLICT (id) DO NOTHING

-- name: runs.add [postgresql]
-- Make a run, unless it exists; it stands last in its lane.
INSERT INTO levada_run (id, keyed, code, state, type, event, subscription, generation, topic, part, pos, key, lane,
  place, queued, ready, across, due, mark, since, input, initiator, traceparent, created, changed)
VALUES (:run, :keyed, :code, 'scheduled', :type, :event, :subscription, :generation, :topic, :part, :pos, :key, :lane,
  (SELECT next FROM levada_lane WHERE lane = :lane), 1,
  CASE WHEN EXISTS (SELECT 1 FROM levada_run WHERE lane = :lane AND place IS NOT NULL) THEN 0 ELSE 1 END,
  :across, :now, CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint),
  coalesce(CAST(:since AS bigint), :now), :input, :initiator, :traceparent, :now, :now)
ON CONFLICT (id) DO NOTHING

-- name: runs.journal_add
-- Write one entry; no row when the place is taken.
INSERT INTO levada_journal (run, seq, kind, step, operation, arguments, value, type, event, attempt, at, format)
VALUES (:run, :seq, :kind, :step, :operation, :arguments, :value, :type, :event, :attempt, :now, :format)
ON CONFLICT (run, seq) DO NOTHING

-- name: runs.journal_append
-- Write one entry behind the last, for a run that no worker has.
INSERT INTO levada_journal (run, seq, kind, step, operation, arguments, value, type, event, attempt, at, format)
VALUES (:run, (SELECT coalesce(max(seq) + 1, 0) FROM levada_journal WHERE run = :run),
  :kind, :step, :operation, :arguments, :value, :type, :event, :attempt, :now, :format)

-- name: runs.journal
-- A run's journal in its order.
SELECT seq, kind, step, operation, arguments, value, type, event, attempt, at
FROM levada_journal WHERE run = :run ORDER BY seq

-- name: runs.wait_key
-- Lock a type and key, before an event of it is taken in or a wait for it registered.
INSERT INTO levada_arrival_key (type, key, seen) VALUES (:type, :key, :now)
ON CONFLICT (type, key) DO UPDATE SET seen = excluded.seen

-- name: runs.wait_add
-- Register a wait or a sleep, unless it stands already.
INSERT INTO levada_wait (run, step, type, key, due, state, made)
VALUES (:run, :step, :type, :key, :now + CAST(:micros AS bigint), 'open', :now)
ON CONFLICT (run, step) DO NOTHING

-- name: runs.wait_take
-- Close a wait by the oldest event of its key that this run has not taken, from the run's start on.
UPDATE levada_wait SET state = 'closed', event = a.event, value = a.data, closed = :now
FROM (
  SELECT n.event, n.data FROM levada_arrived n JOIN levada_run r ON r.id = :run
  WHERE n.type = :type AND n.key = :key AND (coalesce(n.mark, n.position) >= r.mark OR n.at >= r.since)
    AND NOT EXISTS (SELECT 1 FROM levada_wait t
                    WHERE t.run = :run AND t.type = :type AND t.key = :key AND t.event = n.event)
  ORDER BY n.position LIMIT 1) AS a
WHERE run = :run AND step = :step AND state = 'open'

-- name: runs.wait_journaled
-- What closed a wait is in the journal now.
UPDATE levada_wait SET state = 'journaled' WHERE run = :run AND step = :step AND state = 'closed'

-- name: runs.wait_withdraw
-- Nobody waits any more; an event it may have taken is free again.
UPDATE levada_wait SET state = 'withdrawn', event = NULL, value = NULL
WHERE run = :run AND step = :step AND state IN ('open', 'closed')

-- name: runs.wait_answer
-- Close a wait by what an operator knows: its event, or that its time is up.
UPDATE levada_wait SET state = 'closed', event = :event, value = :value, closed = :now
WHERE run = :run AND step = :step AND state = 'open'

-- name: runs.waits_withdraw
-- The run is being undone: none of its waits counts any more.
UPDATE levada_wait SET state = 'withdrawn', event = NULL, value = NULL
WHERE run = :run AND state IN ('open', 'closed')

-- name: runs.waits_of_run
-- Closed waits of a run that are not journaled yet, in the order in which they were closed.
SELECT run, step, event, value FROM levada_wait WHERE run = :run AND state = 'closed' ORDER BY closed, step

-- name: runs.waits_of_worker
-- The same for all runs that a worker has in memory.
SELECT w.run, w.step, w.event, w.value FROM levada_wait w JOIN levada_run r ON r.id = w.run
WHERE w.state = 'closed' AND r.worker = :worker ORDER BY w.closed, w.step

-- name: runs.waits_shown
-- All waits of a run.
SELECT step, type, key, due, state, event, made, closed FROM levada_wait WHERE run = :run ORDER BY made, step

-- name: runs.waits_due [sqlite]
-- Close waits and sleeps whose time has come, a bounded number of them.
UPDATE levada_wait SET state = 'closed', closed = :now
WHERE state = 'open' AND (run, step) IN (
  SELECT run, step FROM levada_wait WHERE state = 'open' AND due <= :now ORDER BY due LIMIT :n)
RETURNING run

-- name: runs.waits_due [postgresql]
-- Close waits and sleeps whose time has come, a bounded number of them.
UPDATE levada_wait SET state = 'closed', closed = :now
WHERE state = 'open' AND (run, step) IN (
  SELECT run, step FROM levada_wait WHERE state = 'open' AND due <= :now ORDER BY due
  LIMIT CAST(:n AS bigint) FOR UPDATE SKIP LOCKED)
RETURNING run

-- name: runs.arrive [sqlite]
-- Take in an event that runs may wait for.
INSERT INTO levada_arrived (type, key, event, data, at, taken_in)
VALUES (:type, :key, :event, :data, :at, :now)
ON CONFLICT (type, key, event) DO NOTHING

-- name: runs.arrive [postgresql]
-- Take in an event that runs may wait for.
INSERT INTO levada_arrived (type, key, event, data, at, taken_in, mark)
VALUES (:type, :key, :event, :data, :at, :now, CAST(CAST(pg_current_xact_id() AS text) AS bigint))
ON CONFLICT (type, key, event) DO NOTHING

-- name: runs.arrive_close
-- Close the oldest wait of each run that waits for this event and has not taken it. One taken in before the run began
-- (it comes again in a replay) does not count.
UPDATE levada_wait SET state = 'closed', event = :event, value = :data, closed = :now
WHERE type = :type AND key = :key AND state = 'open'
  AND EXISTS (
    SELECT 1 FROM levada_arrived a JOIN levada_run r ON r.id = levada_wait.run
    WHERE a.type = :type AND a.key = :key AND a.event = :event
      AND (coalesce(a.mark, a.position) >= r.mark OR a.at >= r.since))
  AND NOT EXISTS (
    SELECT 1 FROM levada_wait o
    WHERE o.run = levada_wait.run AND o.type = :type AND o.key = :key
      AND (o.event = :event OR (o.state = 'open'
           AND (o.made < levada_wait.made OR (o.made = levada_wait.made AND o.step < levada_wait.step)))))

-- name: runs.woken
-- Runs that sleep though something they waited for has happened, in that order.
SELECT r.id, r.lane, min(w.closed) AS closed FROM levada_wait w JOIN levada_run r ON r.id = w.run
WHERE w.state = 'closed' AND r.queued = 0 AND r.worker IS NULL AND r.state IN ('waiting', 'compensating')
GROUP BY r.id, r.lane
ORDER BY min(w.closed), min(CASE WHEN w.event IS NULL THEN w.due ELSE w.made END), r.id LIMIT CAST(:n AS bigint)

-- name: runs.enqueue
-- Queue a run again, last in its lane unless it kept its place; one that is queued goes on at once, when its place
-- lets it. Not one that a worker has just claimed. Why it is being undone stays. `lane_touch` comes before.
UPDATE levada_run
SET queued = 1, due = :now, changed = :now, problem = NULL, state = CAST(:state AS text),
    reason = CASE WHEN state = 'compensating' THEN reason END,
    place = coalesce(place, (SELECT next FROM levada_lane l WHERE l.lane = levada_run.lane)),
    ready = CASE WHEN EXISTS (
        SELECT 1 FROM levada_run o
        WHERE o.lane = levada_run.lane AND o.place IS NOT NULL AND o.id <> levada_run.id
          AND (levada_run.place IS NULL OR o.place < levada_run.place)) THEN 0 ELSE 1 END
WHERE id = :run AND worker IS NULL AND state = :from AND (queued = 0 OR state IN ('scheduled', 'compensating'))

-- name: runs.wake
-- Queue a run whose wait was closed.
UPDATE levada_run
SET queued = 1, due = :now, changed = :now, state = CASE WHEN state = 'waiting' THEN 'scheduled' ELSE state END,
    place = coalesce(place, (SELECT next FROM levada_lane l WHERE l.lane = levada_run.lane)),
    ready = CASE WHEN EXISTS (
        SELECT 1 FROM levada_run o
        WHERE o.lane = levada_run.lane AND o.place IS NOT NULL AND o.id <> levada_run.id
          AND (levada_run.place IS NULL OR o.place < levada_run.place)) THEN 0 ELSE 1 END
WHERE id = :run AND worker IS NULL AND queued = 0 AND state IN ('waiting', 'compensating')

-- name: runs.hurry
-- A run that backs off while something else it waits for has happened goes on at once.
UPDATE levada_run SET due = :now
WHERE ready = 1 AND worker IS NULL AND due > :now
  AND id IN (SELECT run FROM levada_wait WHERE state = 'closed')

-- name: runs.suspend
-- The run leaves memory until a wait is closed; it gives its key up, unless it keeps it across waits.
UPDATE levada_run
SET worker = NULL, queued = 0, ready = 0, waited = 1, changed = :now,
    place = CASE WHEN across = 1 THEN place END, reason = CASE WHEN state = 'running' THEN NULL ELSE reason END,
    state = CASE WHEN state = 'running' THEN 'waiting' ELSE state END
WHERE id = :run AND worker = :worker

-- name: runs.release
-- The run leaves memory until a time and keeps its key: a backoff, whose reason is told, or a worker that stops.
UPDATE levada_run
SET worker = NULL, due = :due, changed = :now,
    reason = CASE WHEN state = 'running' THEN CAST(:reason AS text) ELSE reason END,
    state = CASE WHEN state = 'running' THEN 'scheduled' ELSE state END
WHERE id = :run AND worker = :worker

-- name: runs.undo
-- From here on the run is undone.
UPDATE levada_run SET state = 'compensating', reason = :reason, changed = :now
WHERE id = :run AND worker = :worker AND state = 'running'

-- name: runs.finish
-- The run has ended.
UPDATE levada_run
SET state = CAST(:state AS text), result = :result, worker = NULL, queued = 0, ready = 0, place = NULL, changed = :now,
    reason = CASE WHEN CAST(:state AS text) = 'done' THEN NULL ELSE reason END
WHERE id = :run AND worker = :worker

-- name: runs.stick
-- The run cannot go on. Before its first wait it closes its key, after it does not.
UPDATE levada_run
SET state = 'stuck', problem = :problem, reason = :reason, worker = NULL, queued = 0, ready = 0, changed = :now,
    place = CASE WHEN waited = 1 AND across = 0 THEN NULL ELSE place END
WHERE id = :run AND worker = :worker

-- name: runs.skip
-- An operator gives up a run that no worker has; it opens its key.
UPDATE levada_run
SET state = :state, reason = :reason, queued = 0, ready = 0, place = NULL, changed = :now
WHERE id = :run AND worker IS NULL AND state = :from

-- name: runs.one
-- One run.
SELECT * FROM levada_run WHERE id = :run

-- name: runs.first_of_lane
-- The run that a lane's others stand behind.
SELECT id, state FROM levada_run WHERE lane = :lane AND place IS NOT NULL ORDER BY place LIMIT 1

-- name: runs.of_worker
-- All runs that a worker has.
SELECT * FROM levada_run WHERE worker = :worker

-- name: runs.list
-- Runs of a state, or of all, newest first, from a time back; `again`: when one that could not go on tries again.
SELECT id, code, state, type, event, subscription, key, due, problem, reason, worker, created, changed,
  CASE WHEN ready = 1 AND worker IS NULL AND state = 'scheduled' AND reason IS NOT NULL THEN due END AS again
FROM levada_run
WHERE (CAST(:state AS text) IS NULL OR state = :state) AND created <= :before
ORDER BY created DESC, id LIMIT CAST(:n AS bigint)

-- name: runs.of_key
-- The same of the runs of one key.
SELECT id, code, state, type, event, subscription, key, due, problem, reason, worker, created, changed,
  CASE WHEN ready = 1 AND worker IS NULL AND state = 'scheduled' AND reason IS NOT NULL THEN due END AS again
FROM levada_run
WHERE key = :key AND (CAST(:state AS text) IS NULL OR state = :state) AND created <= :before
ORDER BY created DESC, id LIMIT CAST(:n AS bigint)

-- name: runs.counts
-- How many runs there are of each state and code.
SELECT code, state, count(*) AS runs FROM levada_run GROUP BY code, state ORDER BY code, state

-- name: runs.codes_open
-- The handlers and versions that runs still need.
SELECT code, count(*) AS runs FROM levada_run WHERE state NOT IN ('done', 'compensated') GROUP BY code ORDER BY code

-- name: runs.unclaimed
-- Events taken in for waits that no run has taken, oldest first.
SELECT a.position, a.type, a.key, a.event, a.at, a.taken_in FROM levada_arrived a
WHERE a.taken_in <= :before AND NOT EXISTS (
  SELECT 1 FROM levada_wait w WHERE w.type = a.type AND w.key = a.key AND w.event = a.event)
ORDER BY a.position LIMIT CAST(:n AS bigint)

-- name: runs.next_due
-- When, after now, a run can be taken up again or an open wait ends by its time.
SELECT min(due) AS due FROM (
  SELECT min(due) AS due FROM levada_run WHERE ready = 1 AND worker IS NULL AND due > :now
  UNION ALL SELECT min(due) FROM levada_wait WHERE state = 'open' AND due > :now) AS both_kinds

-- name: runs.open
-- Runs that have not ended, oldest first.
SELECT id, code, state, key, since, reason FROM levada_run
WHERE state NOT IN ('done', 'compensated') ORDER BY created, id
