-- Runs, their journals, waits and arrivals, the order of keys, and workers.
-- Times are microseconds UTC. A run's row outlives the retention of the log it came from:
-- its id derives from the event and so recognises a repeat.

-- [all]
CREATE TABLE levada_worker (
  id       text PRIMARY KEY,
  epoch    bigint NOT NULL,
  lease    bigint NOT NULL,
  host     text NOT NULL,
  started  bigint NOT NULL,
  format   integer NOT NULL DEFAULT 1
);

CREATE TABLE levada_lane (
  lane  text PRIMARY KEY,
  next  bigint NOT NULL
);

CREATE TABLE levada_arrival_key (
  type  text NOT NULL,
  key   text NOT NULL,
  seen  bigint NOT NULL,
  PRIMARY KEY (type, key)
);

-- [sqlite]
CREATE TABLE levada_run (
  id            text PRIMARY KEY,
  keyed         text NOT NULL,
  code          text NOT NULL,
  state         text NOT NULL,
  type          text NOT NULL,
  event         text,
  subscription  text,
  generation    integer NOT NULL,
  topic         text,
  part          integer,
  pos           integer,
  key           text,
  lane          text,
  place         integer,
  queued        integer NOT NULL,
  ready         integer NOT NULL,
  waited        integer NOT NULL DEFAULT 0,
  across        integer NOT NULL,
  worker        text,
  fence         integer NOT NULL DEFAULT 0,
  due           integer NOT NULL,
  mark          integer NOT NULL,
  since         integer NOT NULL,
  input         blob NOT NULL,
  initiator     text NOT NULL,
  traceparent   text NOT NULL,
  result        blob,
  problem       text,
  reason        text,
  created       integer NOT NULL,
  changed       integer NOT NULL,
  format        integer NOT NULL DEFAULT 1
) WITHOUT ROWID;

CREATE TABLE levada_journal (
  run        text NOT NULL,
  seq        integer NOT NULL,
  kind       text NOT NULL,
  step       text NOT NULL,
  operation  text NOT NULL,
  arguments  blob NOT NULL,
  value      blob NOT NULL,
  type       text NOT NULL,
  event      text,
  attempt    integer NOT NULL,
  at         integer NOT NULL,
  format     integer NOT NULL,
  PRIMARY KEY (run, seq)
) WITHOUT ROWID;

CREATE TABLE levada_wait (
  run     text NOT NULL,
  step    text NOT NULL,
  type    text,
  key     text,
  due     integer,
  state   text NOT NULL,
  event   text,
  value   blob,
  made    integer NOT NULL,
  closed  integer,
  format  integer NOT NULL DEFAULT 1,
  PRIMARY KEY (run, step)
) WITHOUT ROWID;

CREATE TABLE levada_arrived (
  position  integer PRIMARY KEY AUTOINCREMENT,
  mark      integer,
  type      text NOT NULL,
  key       text NOT NULL,
  event     text NOT NULL,
  data      blob NOT NULL,
  at        integer NOT NULL,
  taken_in  integer NOT NULL,
  format    integer NOT NULL DEFAULT 1
);

-- [postgresql]
CREATE TABLE levada_run (
  id            text PRIMARY KEY,
  keyed         text NOT NULL,
  code          text NOT NULL,
  state         text NOT NULL,
  type          text NOT NULL,
  event         text,
  subscription  text,
  generation    bigint NOT NULL,
  topic         text,
  part          bigint,
  pos           bigint,
  key           text,
  lane          text,
  place         bigint,
  queued        bigint NOT NULL,
  ready         bigint NOT NULL,
  waited        bigint NOT NULL DEFAULT 0,
  across        bigint NOT NULL,
  worker        text,
  fence         bigint NOT NULL DEFAULT 0,
  due           bigint NOT NULL,
  mark          bigint NOT NULL,
  since         bigint NOT NULL,
  input         bytea NOT NULL,
  initiator     text NOT NULL,
  traceparent   text NOT NULL,
  result        bytea,
  problem       text,
  reason        text,
  created       bigint NOT NULL,
  changed       bigint NOT NULL,
  format        bigint NOT NULL DEFAULT 1
);

CREATE TABLE levada_journal (
  run        text NOT NULL,
  seq        bigint NOT NULL,
  kind       text NOT NULL,
  step       text NOT NULL,
  operation  text NOT NULL,
  arguments  bytea NOT NULL,
  value      bytea NOT NULL,
  type       text NOT NULL,
  event      text,
  attempt    bigint NOT NULL,
  at         bigint NOT NULL,
  format     bigint NOT NULL,
  PRIMARY KEY (run, seq)
);

CREATE TABLE levada_wait (
  run     text NOT NULL,
  step    text NOT NULL,
  type    text,
  key     text,
  due     bigint,
  state   text NOT NULL,
  event   text,
  value   bytea,
  made    bigint NOT NULL,
  closed  bigint,
  format  bigint NOT NULL DEFAULT 1,
  PRIMARY KEY (run, step)
);

CREATE TABLE levada_arrived (
  position  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  mark      bigint,
  type      text NOT NULL,
  key       text NOT NULL,
  event     text NOT NULL,
  data      bytea NOT NULL,
  at        bigint NOT NULL,
  taken_in  bigint NOT NULL,
  format    bigint NOT NULL DEFAULT 1
);

-- [all]
CREATE INDEX levada_run_ready ON levada_run (due) WHERE ready = 1 AND worker IS NULL;
CREATE INDEX levada_run_worker ON levada_run (worker) WHERE worker IS NOT NULL;
CREATE INDEX levada_run_lane ON levada_run (lane, place) WHERE place IS NOT NULL;
CREATE INDEX levada_run_state ON levada_run (state, created);
CREATE INDEX levada_wait_due ON levada_wait (due) WHERE state = 'open' AND due IS NOT NULL;
CREATE INDEX levada_wait_closed ON levada_wait (closed) WHERE state = 'closed';
CREATE INDEX levada_wait_type ON levada_wait (type, key);
CREATE UNIQUE INDEX levada_arrived_event ON levada_arrived (type, key, event);
CREATE INDEX levada_arrived_taken_in ON levada_arrived (taken_in);
