-- Data keys of subjects, wrapped by the master secret.

-- name: subject.add
-- Keep a new key, unless the subject has one by now.
INSERT INTO levada_subject_key (id, kind, subject, master, wrapped, created)
VALUES (:id, :kind, :subject, :master, :wrapped, :now)
ON CONFLICT (kind, subject) WHERE forgotten IS NULL DO NOTHING

-- name: subject.live
-- The key of a subject that is not forgotten.
SELECT id, kind, subject, master, wrapped, created, forgotten FROM levada_subject_key
WHERE kind = :kind AND subject = :subject AND forgotten IS NULL

-- name: subject.get
-- One key by its id, forgotten or not.
SELECT id, kind, subject, master, wrapped, created, forgotten FROM levada_subject_key WHERE id = :id

-- name: subject.of
-- All keys that a subject has or had, of every kind.
SELECT id, kind, subject, master, wrapped, created, forgotten FROM levada_subject_key
WHERE subject = :subject ORDER BY kind, created

-- name: subject.forget
-- Destroy a key. Overwritten in its length, so that its bytes are not left in the page.
UPDATE levada_subject_key SET wrapped = :blank, forgotten = :now WHERE id = :id AND forgotten IS NULL

-- name: subject.masters
-- Under which master secrets the living keys lie.
SELECT master, count(*) AS keys, min(id) AS one FROM levada_subject_key WHERE forgotten IS NULL GROUP BY master

-- name: subject.under_other
-- Living keys under another master secret than this, a bounded number of them.
SELECT id, kind, subject, master, wrapped, created, forgotten FROM levada_subject_key
WHERE forgotten IS NULL AND master <> :master ORDER BY id LIMIT CAST(:n AS bigint)

-- name: subject.rewrap
-- Put a key under another master secret; nothing if it was forgotten or re-wrapped meanwhile.
UPDATE levada_subject_key SET wrapped = :wrapped, master = :master
WHERE id = :id AND master = :was AND forgotten IS NULL

-- name: subject.forgotten
-- Subjects that were forgotten, for a backup from before to forget them too.
SELECT id, kind, subject, created, forgotten FROM levada_subject_key WHERE forgotten IS NOT NULL ORDER BY id

-- name: subject.runs_open [sqlite]
-- Runs that have not ended and whose input or journal holds something sealed under a key.
SELECT r.id, r.state, r.code FROM levada_run r
WHERE r.state NOT IN ('done', 'compensated') AND (instr(r.input, CAST(:id AS blob)) > 0 OR EXISTS (
  SELECT 1 FROM levada_journal j WHERE j.run = r.id
    AND (instr(j.value, CAST(:id AS blob)) > 0 OR instr(j.arguments, CAST(:id AS blob)) > 0)))
ORDER BY r.created

-- name: subject.runs_open [postgresql]
-- Runs that have not ended and whose input or journal holds something sealed under a key.
SELECT r.id, r.state, r.code FROM levada_run r
WHERE r.state NOT IN ('done', 'compensated') AND (position(convert_to(CAST(:id AS text), 'UTF8') IN r.input) > 0 OR EXISTS (
  SELECT 1 FROM levada_journal j WHERE j.run = r.id
    AND (position(convert_to(CAST(:id AS text), 'UTF8') IN j.value) > 0
         OR position(convert_to(CAST(:id AS text), 'UTF8') IN j.arguments) > 0)))
ORDER BY r.created

-- name: subject.runs [sqlite]
-- All runs whose input or journal holds something sealed under a key.
SELECT r.* FROM levada_run r
WHERE instr(r.input, CAST(:id AS blob)) > 0 OR EXISTS (
  SELECT 1 FROM levada_journal j WHERE j.run = r.id
    AND (instr(j.value, CAST(:id AS blob)) > 0 OR instr(j.arguments, CAST(:id AS blob)) > 0))
ORDER BY r.created

-- name: subject.runs [postgresql]
-- All runs whose input or journal holds something sealed under a key.
SELECT r.* FROM levada_run r
WHERE position(convert_to(CAST(:id AS text), 'UTF8') IN r.input) > 0 OR EXISTS (
  SELECT 1 FROM levada_journal j WHERE j.run = r.id
    AND (position(convert_to(CAST(:id AS text), 'UTF8') IN j.value) > 0
         OR position(convert_to(CAST(:id AS text), 'UTF8') IN j.arguments) > 0))
ORDER BY r.created

-- name: subject.events [sqlite]
-- Events of the log sealed under a key.
SELECT topic, part, pos, event_id, key, at, appended, head, data, format FROM levada_log
WHERE instr(head, CAST(:id AS blob)) > 0 ORDER BY appended, topic, part, pos

-- name: subject.events [postgresql]
-- Events of the log sealed under a key.
SELECT topic, part, pos, event_id, key, at, appended, head, data, format FROM levada_log
WHERE position(convert_to(CAST(:id AS text), 'UTF8') IN head) > 0 ORDER BY appended, topic, part, pos
