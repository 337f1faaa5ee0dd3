-- Answers by idempotency key, audit, facts, call records, keys.

-- name: idempotency.begin
-- Take a key, anew or from a holder whose time is over; no row: it is taken.
INSERT INTO levada_idempotency (caller, operation, key, digest, state, holder, began, until)
VALUES (:caller, :operation, :key, :digest, 'in_flight', :holder, :now, :now + :lease)
ON CONFLICT (caller, operation, key) DO UPDATE
SET holder = excluded.holder, began = excluded.began, until = excluded.until, digest = excluded.digest,
    state = 'in_flight', response = NULL
WHERE levada_idempotency.until < :now
  AND (levada_idempotency.state = 'done' OR levada_idempotency.digest = excluded.digest)

-- name: idempotency.get
-- One record.
SELECT digest, state, response FROM levada_idempotency WHERE caller = :caller AND operation = :operation AND key = :key

-- name: idempotency.done
-- Keep the answer; for the holder alone.
UPDATE levada_idempotency SET state = 'done', response = :response, until = :now + :keep
WHERE caller = :caller AND operation = :operation AND key = :key AND holder = :holder AND state = 'in_flight'

-- name: idempotency.release
-- Give a key back: the call failed, a repeat begins anew.
DELETE FROM levada_idempotency
WHERE caller = :caller AND operation = :operation AND key = :key AND holder = :holder AND state = 'in_flight'

-- name: idempotency.clean
-- Forget answers whose time is over.
DELETE FROM levada_idempotency WHERE state = 'done' AND until < :now

-- name: audit.last
-- The newest row of the chain.
SELECT seq, hash FROM levada_audit ORDER BY seq DESC LIMIT 1

-- name: audit.add
-- Append a row; a number that is taken raises, and the chain is read again.
INSERT INTO levada_audit (seq, at, who, action, target, why, before, after, prev, hash)
VALUES (:seq, :at, :who, :action, :target, :why, :before, :after, :prev, :hash)
ON CONFLICT (seq) DO NOTHING

-- name: audit.read
-- Rows from a number on, in order.
SELECT seq, at, who, action, target, why, before, after, prev, hash FROM levada_audit WHERE seq >= :seq ORDER BY seq LIMIT :n

-- name: fact.add
-- Append a fact; the same id is the same fact.
INSERT INTO levada_fact (id, at, environment, kind, api, consumer, flow, ref, status, source)
VALUES (:id, :at, :environment, :kind, :api, :consumer, :flow, :ref, :status, :source)
ON CONFLICT (id) DO NOTHING

-- name: fact.read
-- Facts of a kind ('' is any) from a time on, in order.
SELECT id, at, environment, kind, api, consumer, flow, ref, status, source FROM levada_fact
WHERE (:kind = '' OR kind = :kind) AND at >= :since ORDER BY at, id LIMIT :n

-- name: call.add
-- Add a minute's counts of one process; written once more, they replace what was there.
INSERT INTO levada_call (minute, environment, consumer, client, operation, ok, caller, declared, provider, microseconds, process, latency, problems)
VALUES (:minute, :environment, :consumer, :client, :operation, :ok, :caller, :declared, :provider, :microseconds, :process, :latency, :problems)
ON CONFLICT (minute, environment, consumer, client, operation, process) DO UPDATE
SET ok = levada_call.ok + excluded.ok, caller = levada_call.caller + excluded.caller,
    declared = levada_call.declared + excluded.declared, provider = levada_call.provider + excluded.provider,
    microseconds = levada_call.microseconds + excluded.microseconds, latency = excluded.latency, problems = excluded.problems

-- name: call.read
-- The counts of minutes from one on.
SELECT minute, environment, consumer, client, operation, ok, caller, declared, provider, microseconds, process, latency, problems
FROM levada_call WHERE minute >= :since ORDER BY minute, operation, consumer, client, process
