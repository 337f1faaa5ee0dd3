-- The log, its relays and its subscriptions.
-- Times are microseconds UTC, positions count from 0 within a partition.

-- [sqlite]
CREATE TABLE levada_topic (
  topic       text PRIMARY KEY,
  partitions  integer NOT NULL,
  retention   integer,
  created     integer NOT NULL,
  format      integer NOT NULL DEFAULT 1
) WITHOUT ROWID;

CREATE TABLE levada_partition (
  topic  text NOT NULL,
  part   integer NOT NULL,
  first  integer NOT NULL DEFAULT 0,
  next   integer NOT NULL DEFAULT 0,
  last   integer NOT NULL DEFAULT 0,
  PRIMARY KEY (topic, part)
) WITHOUT ROWID;

CREATE TABLE levada_log (
  topic     text NOT NULL,
  part      integer NOT NULL,
  pos       integer NOT NULL,
  event_id  text NOT NULL,
  key       text,
  at        integer NOT NULL,
  appended  integer NOT NULL,
  head      blob NOT NULL,
  data      blob NOT NULL,
  format    integer NOT NULL,
  PRIMARY KEY (topic, part, pos)
) WITHOUT ROWID;
CREATE INDEX levada_log_event ON levada_log (event_id);

CREATE TABLE levada_relay (
  name     text PRIMARY KEY,
  epoch    integer NOT NULL,
  holder   text NOT NULL,
  seen     integer NOT NULL,
  low      integer NOT NULL,
  high     integer NOT NULL,
  last_id  integer NOT NULL,
  moved    integer NOT NULL,
  format   integer NOT NULL DEFAULT 1
) WITHOUT ROWID;

CREATE TABLE levada_subscription (
  name         text PRIMARY KEY,
  topics       text NOT NULL,
  pattern      text,
  state        text NOT NULL,
  why          text,
  generation   integer NOT NULL,
  again        integer NOT NULL,
  begun        integer NOT NULL,
  inbox_floor  integer NOT NULL DEFAULT 0,
  epoch        integer NOT NULL,
  holder       text NOT NULL,
  seen         integer NOT NULL,
  created      integer NOT NULL,
  format       integer NOT NULL DEFAULT 1
) WITHOUT ROWID;

CREATE TABLE levada_position (
  subscription  text NOT NULL,
  topic         text NOT NULL,
  part          integer NOT NULL,
  next          integer NOT NULL,
  moved         integer NOT NULL,
  PRIMARY KEY (subscription, topic, part)
) WITHOUT ROWID;
CREATE INDEX levada_position_topic ON levada_position (topic, part);

CREATE TABLE levada_inbox (
  subscription  text NOT NULL,
  generation    integer NOT NULL,
  event_id      text NOT NULL,
  at            integer NOT NULL,
  PRIMARY KEY (subscription, generation, event_id)
) WITHOUT ROWID;

CREATE TABLE levada_parked (
  seq           integer PRIMARY KEY AUTOINCREMENT,
  id            text NOT NULL UNIQUE,
  subscription  text NOT NULL,
  generation    integer NOT NULL,
  again         integer NOT NULL,
  event_id      text NOT NULL,
  key           text,
  topic         text NOT NULL,
  part          integer NOT NULL,
  pos           integer NOT NULL,
  state         text NOT NULL,
  reason        text NOT NULL,
  detail        text NOT NULL,
  attempts      integer NOT NULL,
  due           integer NOT NULL,
  at            integer NOT NULL,
  appended      integer NOT NULL,
  head          blob NOT NULL,
  data          blob NOT NULL,
  format        integer NOT NULL
);
CREATE INDEX levada_parked_key ON levada_parked (subscription, key, seq);
CREATE INDEX levada_parked_due ON levada_parked (subscription, state, due);
CREATE INDEX levada_parked_event ON levada_parked (subscription, event_id);

-- [postgresql]
CREATE TABLE levada_topic (
  topic       text PRIMARY KEY,
  partitions  bigint NOT NULL,
  retention   bigint,
  created     bigint NOT NULL,
  format      bigint NOT NULL DEFAULT 1
);

CREATE TABLE levada_partition (
  topic  text NOT NULL,
  part   bigint NOT NULL,
  first  bigint NOT NULL DEFAULT 0,
  next   bigint NOT NULL DEFAULT 0,
  last   bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (topic, part)
) WITH (fillfactor = 50);

CREATE TABLE levada_log (
  topic     text NOT NULL,
  part      bigint NOT NULL,
  pos       bigint NOT NULL,
  event_id  text NOT NULL,
  key       text,
  at        bigint NOT NULL,
  appended  bigint NOT NULL,
  head      bytea NOT NULL,
  data      bytea NOT NULL,
  format    bigint NOT NULL,
  PRIMARY KEY (topic, part, pos)
);
CREATE INDEX levada_log_event ON levada_log (event_id);

CREATE TABLE levada_relay (
  name     text PRIMARY KEY,
  epoch    bigint NOT NULL,
  holder   text NOT NULL,
  seen     bigint NOT NULL,
  low      bigint NOT NULL,
  high     bigint NOT NULL,
  last_id  bigint NOT NULL,
  moved    bigint NOT NULL,
  format   bigint NOT NULL DEFAULT 1
);

CREATE TABLE levada_subscription (
  name         text PRIMARY KEY,
  topics       text NOT NULL,
  pattern      text,
  state        text NOT NULL,
  why          text,
  generation   bigint NOT NULL,
  again        bigint NOT NULL,
  begun        bigint NOT NULL,
  inbox_floor  bigint NOT NULL DEFAULT 0,
  epoch        bigint NOT NULL,
  holder       text NOT NULL,
  seen         bigint NOT NULL,
  created      bigint NOT NULL,
  format       bigint NOT NULL DEFAULT 1
);

CREATE TABLE levada_position (
  subscription  text NOT NULL,
  topic         text NOT NULL,
  part          bigint NOT NULL,
  next          bigint NOT NULL,
  moved         bigint NOT NULL,
  PRIMARY KEY (subscription, topic, part)
) WITH (fillfactor = 50);
CREATE INDEX levada_position_topic ON levada_position (topic, part);

CREATE TABLE levada_inbox (
  subscription  text NOT NULL,
  generation    bigint NOT NULL,
  event_id      text NOT NULL,
  at            bigint NOT NULL,
  PRIMARY KEY (subscription, generation, event_id)
);

CREATE TABLE levada_parked (
  seq           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id            text NOT NULL UNIQUE,
  subscription  text NOT NULL,
  generation    bigint NOT NULL,
  again         bigint NOT NULL,
  event_id      text NOT NULL,
  key           text,
  topic         text NOT NULL,
  part          bigint NOT NULL,
  pos           bigint NOT NULL,
  state         text NOT NULL,
  reason        text NOT NULL,
  detail        text NOT NULL,
  attempts      bigint NOT NULL,
  due           bigint NOT NULL,
  at            bigint NOT NULL,
  appended      bigint NOT NULL,
  head          bytea NOT NULL,
  data          bytea NOT NULL,
  format        bigint NOT NULL
);
CREATE INDEX levada_parked_key ON levada_parked (subscription, key, seq);
CREATE INDEX levada_parked_due ON levada_parked (subscription, state, due);
CREATE INDEX levada_parked_event ON levada_parked (subscription, event_id);
