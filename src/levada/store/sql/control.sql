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
SELECT digest, state, response, until FROM levada_idempotency WHERE caller = :caller AND operation = :operation AND key = :key

-- name: idempotency.done
-- Keep the answer; for the holder alone.
UPDATE levada_idempotency SET state = 'done', response = :response, until = :now + :keep
WHERE caller = :caller AND operation = :operation AND key = :key AND holder = :holder AND state = 'in_flight'

-- name: idempotency.renew
-- The call is still under way; no row: another has taken its key over.
UPDATE levada_idempotency SET until = :now + :lease
WHERE caller = :caller AND operation = :operation AND key = :key AND holder = :holder AND state = 'in_flight'

-- name: idempotency.release
-- Give a key back: the call failed, a repeat begins anew.
DELETE FROM levada_idempotency
WHERE caller = :caller AND operation = :operation AND key = :key AND holder = :holder AND state = 'in_flight'

-- name: idempotency.clean
-- Forget answers whose time is over, and calls that never ended, once nobody repeats them.
DELETE FROM levada_idempotency
WHERE (state = 'done' AND until < :now) OR (state = 'in_flight' AND until < :now - CAST(:keep AS bigint))

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

-- name: call.flush
-- Note which batch of counts a process has handed in; no row: it was handed in before.
INSERT INTO levada_call_flush (process, batch, at) VALUES (:process, :batch, :now)
ON CONFLICT (process) DO UPDATE SET batch = excluded.batch, at = excluded.at
WHERE levada_call_flush.batch < excluded.batch

-- name: call.add
-- Add to a minute's counts.
INSERT INTO levada_call (minute, environment, consumer, client, operation, ok, caller, declared, provider, microseconds)
VALUES (:minute, :environment, :consumer, :client, :operation, :ok, :caller, :declared, :provider, :microseconds)
ON CONFLICT (minute, environment, consumer, client, operation) DO UPDATE
SET ok = levada_call.ok + excluded.ok, caller = levada_call.caller + excluded.caller,
    declared = levada_call.declared + excluded.declared, provider = levada_call.provider + excluded.provider,
    microseconds = levada_call.microseconds + excluded.microseconds

-- name: call.add_part
-- Add to one bucket of a minute's latencies (kind 'latency', name is its number) or to one problem code.
INSERT INTO levada_call_part (minute, environment, consumer, client, operation, kind, name, n)
VALUES (:minute, :environment, :consumer, :client, :operation, :kind, :name, :n)
ON CONFLICT (minute, environment, consumer, client, operation, kind, name) DO UPDATE SET n = levada_call_part.n + excluded.n

-- name: call.read
-- The counts of minutes from one up to before another.
SELECT minute, environment, consumer, client, operation, ok, caller, declared, provider, microseconds
FROM levada_call WHERE minute >= :since AND minute < :until
ORDER BY minute, environment, consumer, client, operation

-- name: call.read_parts
-- The buckets and problems of the same.
SELECT minute, environment, consumer, client, operation, kind, name, n
FROM levada_call_part WHERE minute >= :since AND minute < :until
ORDER BY minute, environment, consumer, client, operation, kind, name

-- name: call.clean
-- Forget the counts of minutes before one. `call.clean_parts` goes with it.
DELETE FROM levada_call WHERE minute < :before

-- name: call.clean_parts
-- Forget the buckets and problems of minutes before one.
DELETE FROM levada_call_part WHERE minute < :before

-- name: call.clean_flushes
-- Forget processes that have handed in nothing since a time.
DELETE FROM levada_call_flush WHERE at < :before

-- name: plan.put
-- Write what a plan allows.
INSERT INTO levada_plan (product, plan, rate, per, quota, needs, body, changed)
VALUES (:product, :plan, :rate, :per, :quota, :needs, :body, :now)
ON CONFLICT (product, plan) DO UPDATE
SET rate = excluded.rate, per = excluded.per, quota = excluded.quota, needs = excluded.needs,
    body = excluded.body, changed = excluded.changed

-- name: plan.list
-- All plans.
SELECT product, plan, rate, per, quota, needs, body, changed FROM levada_plan ORDER BY product, plan

-- name: access.ask
-- A consumer asks for a plan of a product; one that was refused or ended may ask again.
INSERT INTO levada_access (id, consumer, product, plan, environment, state, who, why, asked, decided)
VALUES (:id, :consumer, :product, :plan, :environment, :state, :who, :why, :now, :decided)
ON CONFLICT (consumer, product, environment) DO UPDATE
SET id = excluded.id, plan = excluded.plan, state = excluded.state, who = excluded.who, why = excluded.why,
    asked = excluded.asked, decided = excluded.decided
WHERE levada_access.state IN ('refused', 'ended')

-- name: access.decide
-- Grant, refuse or end, from the state that was seen.
UPDATE levada_access SET state = :state, who = :who, why = :why, decided = :now WHERE id = :id AND state = :from

-- name: access.get
-- One subscription of a consumer.
SELECT id, consumer, product, plan, environment, state, who, why, asked, decided FROM levada_access WHERE id = :id

-- name: access.list
-- Subscriptions of a product ('' is any) and consumer ('' is any).
SELECT id, consumer, product, plan, environment, state, who, why, asked, decided FROM levada_access
WHERE (:product = '' OR product = :product) AND (:consumer = '' OR consumer = :consumer)
ORDER BY product, consumer, environment

-- name: key.add
-- Keep a key: a hash of its secret, or the secret sealed.
INSERT INTO levada_key (id, consumer, product, plan, environment, secret, created, expires)
VALUES (:id, :consumer, :product, :plan, :environment, :secret, :created, :expires)
ON CONFLICT (id) DO NOTHING

-- name: key.get
-- One key.
SELECT id, consumer, product, plan, environment, secret, created, expires, revoked FROM levada_key WHERE id = :id

-- name: key.list
-- Keys of a consumer ('' is any), ended ones too.
SELECT id, consumer, product, plan, environment, secret, created, expires, revoked FROM levada_key
WHERE (:consumer = '' OR consumer = :consumer) ORDER BY consumer, product, created, id

-- name: key.live
-- Keys that may be used now, in one environment.
SELECT id, consumer, product, plan, environment, secret, created, expires, revoked FROM levada_key
WHERE environment = :environment AND revoked IS NULL AND (expires IS NULL OR expires > :now)
ORDER BY consumer, product, created, id

-- name: key.revoke
-- End a key for good, now.
UPDATE levada_key SET revoked = :now WHERE id = :id AND revoked IS NULL

-- name: key.expire
-- Let a key end at a time, for a change to a new one; never later than it would have.
UPDATE levada_key SET expires = :expires WHERE id = :id AND revoked IS NULL AND (expires IS NULL OR expires > :expires)

-- name: lease.take
-- Become the holder of a lease: it is free, its time is over, or it is one's own.
INSERT INTO levada_lease (name, holder, epoch, until)
VALUES (:name, :holder, 1, :now + CAST(:micros AS bigint))
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, epoch = levada_lease.epoch + 1, until = excluded.until
WHERE levada_lease.until < :now OR levada_lease.holder = excluded.holder
RETURNING epoch, until

-- name: lease.renew
-- Hold on for longer; no row: somebody took it over.
UPDATE levada_lease SET until = :now + CAST(:micros AS bigint) WHERE name = :name AND holder = :holder AND epoch = :epoch

-- name: lease.release
-- Let the next one have it at once. The epoch stays, so that it only ever grows.
UPDATE levada_lease SET until = 0, holder = '' WHERE name = :name AND holder = :holder AND epoch = :epoch

-- name: lease.guard [sqlite]
-- The lease is still this holder's; first in a unit.
SELECT 1 AS held FROM levada_lease WHERE name = :name AND holder = :holder AND epoch = :epoch

-- name: lease.guard [postgresql]
-- The lease is still this holder's, and stays so until this unit has ended; first in a unit.
SELECT 1 AS held FROM levada_lease WHERE name = :name AND holder = :holder AND epoch = :epoch FOR SHARE

-- name: lease.get
-- Who holds a lease.
SELECT name, holder, epoch, until FROM levada_lease WHERE name = :name
