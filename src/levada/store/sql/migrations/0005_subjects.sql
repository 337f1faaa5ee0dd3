-- Data keys of subjects, for personal data at rest. Times are microseconds UTC.
-- A forgotten subject's row stays, without its key: what was sealed under it says so for ever.

-- [sqlite]
CREATE TABLE levada_subject_key (
  id         text PRIMARY KEY,
  kind       text NOT NULL,
  subject    text NOT NULL,
  master     text NOT NULL,
  wrapped    blob NOT NULL,
  created    integer NOT NULL,
  forgotten  integer,
  format     integer NOT NULL DEFAULT 1
) WITHOUT ROWID;

-- [postgresql]
CREATE TABLE levada_subject_key (
  id         text PRIMARY KEY,
  kind       text NOT NULL,
  subject    text NOT NULL,
  master     text NOT NULL,
  wrapped    bytea NOT NULL,
  created    bigint NOT NULL,
  forgotten  bigint,
  format     bigint NOT NULL DEFAULT 1
);

-- [all]
CREATE UNIQUE INDEX levada_subject_key_live ON levada_subject_key (kind, subject) WHERE forgotten IS NULL;
CREATE INDEX levada_subject_key_subject ON levada_subject_key (subject);
