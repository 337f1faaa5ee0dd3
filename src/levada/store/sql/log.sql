-- Topics, the log, relays, subscriptions, inbox and parked events.

-- name: log.topic_create
-- Make a topic; an existing one stays as it is.
INSERT INTO levada_topic (topic, partitions, retention, created)
VALUES (:topic, :partitions, :retention, :now)
ON CONFLICT (topic) DO NOTHING

-- name: log.partition_create
-- Make one partition of a topic, unless the topic was made with fewer.
INSERT INTO levada_partition (topic, part)
SELECT topic, CAST(:part AS bigint) FROM levada_topic WHERE topic = :topic AND partitions > :part
ON CONFLICT (topic, part) DO NOTHING

-- name: log.topics
-- All topics, with how many events each holds now and ever held.
SELECT t.topic, t.partitions, t.retention, t.created,
       CAST(sum(p.next - p.first) AS bigint) AS events, CAST(sum(p.next) AS bigint) AS ever
FROM levada_topic t JOIN levada_partition p ON p.topic = t.topic
GROUP BY t.topic, t.partitions, t.retention, t.created
ORDER BY t.topic

-- name: log.topic_retention
-- Change how long the events of a topic are kept.
UPDATE levada_topic SET retention = :retention WHERE topic = :topic

-- name: log.reserve
-- Take the next positions of a partition; its row stays locked until the commit, so that order of positions is order of commits, and of times.
UPDATE levada_partition
SET next = next + :n, last = CASE WHEN last > :now THEN last ELSE :now END
WHERE topic = :topic AND part = :part

-- name: log.append
-- Write one event at a position taken in the same unit, counted back from the end.
INSERT INTO levada_log (topic, part, pos, event_id, key, at, appended, head, data, format)
SELECT topic, part, next - :back, :event_id, :key, :at, last, :head, :data, :format
FROM levada_partition WHERE topic = :topic AND part = :part

-- name: log.read
-- Events of one partition from a position on.
SELECT topic, part, pos, event_id, key, at, appended, head, data, format
FROM levada_log WHERE topic = :topic AND part = :part AND pos >= :from
ORDER BY pos LIMIT :n

-- name: log.of_key
-- The last events of a key, newest first; all of it are in one partition.
SELECT topic, part, pos, event_id, key, at, appended, head, data, format
FROM levada_log WHERE topic = :topic AND part = :part AND key = :key
ORDER BY pos DESC LIMIT :n

-- name: log.event
-- Where an event of this id stands in the log.
SELECT topic, part, pos, event_id, key, at, appended, head, data, format
FROM levada_log WHERE event_id = :event_id
ORDER BY topic, part, pos

-- name: log.partitions
-- First and next position of each partition of a topic.
SELECT topic, part, first, next FROM levada_partition WHERE topic = :topic ORDER BY part

-- name: log.appended_at
-- When the event at a position was appended.
SELECT appended FROM levada_log WHERE topic = :topic AND part = :part AND pos = :pos

-- name: log.held
-- The lowest position that a subscription still has to read in a partition, or null.
SELECT min(next) AS next FROM levada_position WHERE topic = :topic AND part = :part

-- name: log.lock
-- Lock a partition that still has a position, so that trimming and replaying cannot pass each other.
UPDATE levada_partition SET first = first WHERE topic = :topic AND part = :part AND first <= :pos

-- name: log.trimmed
-- Say where a partition begins now; refused if a subscription still has to read what lies before.
UPDATE levada_partition SET first = :upto
WHERE topic = :topic AND part = :part
  AND NOT EXISTS (SELECT 1 FROM levada_position s WHERE s.topic = :topic AND s.part = :part AND s.next < :upto)

-- name: log.trim
-- Delete the events of a partition below a position.
DELETE FROM levada_log WHERE topic = :topic AND part = :part AND pos < :upto

-- name: relay.create
-- Make a relay that has read nothing yet.
INSERT INTO levada_relay (name, epoch, holder, seen, low, high, last_id, moved)
VALUES (:name, 0, '', 0, 0, 0, 0, :now)
ON CONFLICT (name) DO NOTHING

-- name: relay.claim
-- Become the one relay of a name, if its holder is silent for longer than the lease.
UPDATE levada_relay SET epoch = epoch + 1, holder = :holder, seen = :now
WHERE name = :name AND (holder = :holder OR seen < CAST(:now AS bigint) - :lease)

-- name: relay.get
-- Position and holder of one relay.
SELECT name, epoch, holder, seen, low, high, last_id, moved FROM levada_relay WHERE name = :name

-- name: relay.list
-- Position and holder of all relays.
SELECT name, epoch, holder, seen, low, high, last_id, moved FROM levada_relay ORDER BY name

-- name: relay.move
-- Move a relay's position; refused to one that was superseded or that read from another position.
UPDATE levada_relay
SET low = :low, high = :high, last_id = :last_id, seen = :now, moved = :now
WHERE name = :name AND epoch = :epoch
  AND low = :was_low AND high = :was_high AND last_id = :was_last_id

-- name: relay.beat
-- Say that the relay lives; refused to one that was superseded.
UPDATE levada_relay SET seen = :now WHERE name = :name AND epoch = :epoch

-- name: relay.release
-- Let another take over at once.
UPDATE levada_relay SET seen = 0, holder = '' WHERE name = :name AND epoch = :epoch

-- name: subscription.create
-- Make a subscription; an existing one stays as it is.
INSERT INTO levada_subscription (name, topics, pattern, state, generation, again, begun, epoch, holder, seen, created)
VALUES (:name, :topics, :pattern, 'active', 1, 0, :now, 0, '', 0, :now)
ON CONFLICT (name) DO NOTHING

-- name: subscription.declare
-- Change what a subscription reads and its pattern.
UPDATE levada_subscription SET topics = :topics, pattern = :pattern WHERE name = :name

-- name: subscription.place
-- Begin to read a partition at its first or its next position.
INSERT INTO levada_position (subscription, topic, part, next, moved)
SELECT :subscription, topic, part, CASE WHEN :latest = 1 THEN next ELSE first END, :now
FROM levada_partition WHERE topic = :topic AND part = :part
ON CONFLICT (subscription, topic, part) DO NOTHING

-- name: subscription.drop_topic
-- Stop reading a topic, where nothing of it is unread.
DELETE FROM levada_position WHERE subscription = :subscription AND topic = :topic
  AND NOT EXISTS (SELECT 1 FROM levada_partition p
                  WHERE p.topic = levada_position.topic AND p.part = levada_position.part AND p.next > levada_position.next)

-- name: subscription.get
-- One subscription.
SELECT * FROM levada_subscription WHERE name = :name

-- name: subscription.list
-- All subscriptions.
SELECT * FROM levada_subscription ORDER BY name

-- name: subscription.positions
-- Positions of a subscription beside the log's.
SELECT s.topic, s.part, s.next, s.moved, p.first, p.next AS head
FROM levada_position s JOIN levada_partition p ON p.topic = s.topic AND p.part = s.part
WHERE s.subscription = :subscription ORDER BY s.topic, s.part

-- name: subscription.pending
-- The partitions in which a subscription has something to read.
SELECT s.topic, s.part, s.next, p.next AS head
FROM levada_position s JOIN levada_partition p ON p.topic = s.topic AND p.part = s.part
WHERE s.subscription = :subscription AND p.next > s.next ORDER BY s.topic, s.part

-- name: subscription.read
-- The next events of a partition, each with whether it was taken before and whether its key is closed.
SELECT l.topic, l.part, l.pos, l.event_id, l.key, l.at, l.appended, l.head, l.data, l.format,
       EXISTS (SELECT 1 FROM levada_inbox i WHERE i.subscription = :subscription
               AND i.generation = :generation AND i.event_id = l.event_id) AS known,
       EXISTS (SELECT 1 FROM levada_parked k WHERE k.subscription = :subscription AND k.key = l.key) AS closed
FROM levada_log l
WHERE l.topic = :topic AND l.part = :part AND l.pos >= :from
ORDER BY l.pos LIMIT :n

-- name: subscription.claim
-- Become the one reader of a subscription, if its holder is silent for longer than the lease.
UPDATE levada_subscription SET epoch = epoch + 1, holder = :holder, seen = :now
WHERE name = :name AND (holder = :holder OR seen < CAST(:now AS bigint) - :lease)

-- name: subscription.release
-- Let another take over at once.
UPDATE levada_subscription SET seen = 0, holder = '' WHERE name = :name AND epoch = :epoch

-- name: subscription.fence
-- Hold a unit to its reader's epoch, generation and to the subscription not being paused.
UPDATE levada_subscription SET seen = :now
WHERE name = :name AND epoch = :epoch AND generation = :generation AND state = 'active'

-- name: subscription.beat
-- Say that the reader lives, paused or not.
UPDATE levada_subscription SET seen = :now WHERE name = :name AND epoch = :epoch

-- name: subscription.move
-- Move a position; refused if it is not where it was read.
UPDATE levada_position SET next = :next, moved = :now
WHERE subscription = :subscription AND topic = :topic AND part = :part AND next = :was

-- name: subscription.state
-- Pause a subscription or let it go on.
UPDATE levada_subscription SET state = :state, why = :why WHERE name = :name

-- name: subscription.replay
-- Begin a new generation; refused if another replay came first.
UPDATE levada_subscription
SET generation = generation + 1, again = :again, begun = :now, why = :why
WHERE name = :name AND generation = :generation

-- name: subscription.seek
-- Put a position where a replay begins.
UPDATE levada_position SET next = :next, moved = :now
WHERE subscription = :subscription AND topic = :topic AND part = :part

-- name: subscription.remove
-- Forget a subscription.
DELETE FROM levada_subscription WHERE name = :name

-- name: subscription.remove_positions
-- Forget the positions of a subscription.
DELETE FROM levada_position WHERE subscription = :name

-- name: subscription.remove_inbox
-- Forget the inbox of a subscription.
DELETE FROM levada_inbox WHERE subscription = :name

-- name: inbox.add
-- Record that an event was taken in; refused for one that was.
INSERT INTO levada_inbox (subscription, generation, event_id, at)
VALUES (:subscription, :generation, :event_id, :now)
ON CONFLICT (subscription, generation, event_id) DO NOTHING

-- name: inbox.has
-- Whether and when an event was taken in, by generation.
SELECT generation, at FROM levada_inbox
WHERE subscription = :subscription AND event_id = :event_id ORDER BY generation

-- name: inbox.clean
-- Delete what was taken in before a time.
DELETE FROM levada_inbox WHERE subscription = :subscription AND at < :before

-- name: inbox.floor
-- Remember up to which time the inbox no longer knows.
UPDATE levada_subscription SET inbox_floor = :before WHERE name = :subscription AND inbox_floor < :before

-- name: parked.add
-- Put an event aside, or behind one of its key that was.
INSERT INTO levada_parked (id, subscription, generation, again, event_id, key, topic, part, pos,
                           state, reason, detail, attempts, due, at, appended, head, data, format)
VALUES (:id, :subscription, :generation, :again, :event_id, :key, :topic, :part, :pos,
        :state, :reason, :detail, :attempts, CAST(:now AS bigint) + :delay, :now, :appended, :head, :data, :format)

-- name: parked.again
-- Put an event aside again; it keeps its place.
UPDATE levada_parked
SET state = :state, reason = :reason, detail = :detail, attempts = :attempts, due = CAST(:now AS bigint) + :delay
WHERE id = :id AND state <> 'parked'

-- name: parked.due
-- What can be tried now, in order: nothing behind a parked event of its key, or behind one that waits.
SELECT * FROM levada_parked p
WHERE p.subscription = :subscription AND p.state <> 'parked' AND p.due <= :now
  AND NOT EXISTS (SELECT 1 FROM levada_parked q
                  WHERE q.subscription = p.subscription AND q.key = p.key AND q.seq < p.seq
                    AND (q.state = 'parked' OR q.due > :now))
ORDER BY p.seq LIMIT :n

-- name: parked.take
-- Take an event out that is delivered; refused if it was skipped meanwhile.
DELETE FROM levada_parked WHERE id = :id AND state <> 'parked'

-- name: parked.resume
-- Try a parked event again; later events of its key follow it.
UPDATE levada_parked SET state = 'queued', due = :now WHERE id = :id AND state <> 'queued'

-- name: parked.skip
-- Leave an event out for good; what stands behind it goes on.
DELETE FROM levada_parked WHERE id = :id

-- name: parked.get
-- One event that was put aside.
SELECT * FROM levada_parked WHERE id = :id

-- name: parked.event
-- Where an event stands aside for a subscription.
SELECT id, state, reason, detail FROM levada_parked
WHERE subscription = :subscription AND event_id = :event_id ORDER BY seq

-- name: parked.list
-- What was put aside and waits for somebody, with how many events of the key stand behind it.
SELECT p.*, (SELECT count(*) FROM levada_parked q
             WHERE q.subscription = p.subscription AND q.key = p.key AND q.seq > p.seq) AS behind
FROM levada_parked p
WHERE (:subscription = '' OR p.subscription = :subscription) AND (:all = 1 OR p.state <> 'queued')
ORDER BY p.seq LIMIT :n

-- name: parked.of_key
-- The same of the events of one key.
SELECT p.*, (SELECT count(*) FROM levada_parked q
             WHERE q.subscription = p.subscription AND q.key = p.key AND q.seq > p.seq) AS behind
FROM levada_parked p
WHERE p.key = :key AND (:subscription = '' OR p.subscription = :subscription) AND (:all = 1 OR p.state <> 'queued')
ORDER BY p.seq LIMIT :n

-- name: parked.counts
-- How many events of each subscription stand aside, by state.
SELECT subscription, state, count(*) AS n, min(at) AS since FROM levada_parked
GROUP BY subscription, state ORDER BY subscription, state

-- name: parked.remove
-- Forget all that a subscription put aside.
DELETE FROM levada_parked WHERE subscription = :name

-- name: log.unclaimed
-- Topics with events that no subscription reads.
SELECT p.topic, CAST(sum(p.next - p.first) AS bigint) AS events FROM levada_partition p
WHERE NOT EXISTS (SELECT 1 FROM levada_position s WHERE s.topic = p.topic)
GROUP BY p.topic HAVING sum(p.next - p.first) > 0 ORDER BY p.topic
