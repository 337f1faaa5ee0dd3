-- What the control of a network keeps: answers by idempotency key, audit, facts, call records,
-- plans, who may use what, keys, leases. Times are microseconds UTC, minutes count from 1970.

-- [sqlite]
CREATE TABLE levada_idempotency (
  caller     text NOT NULL,
  operation  text NOT NULL,
  key        text NOT NULL,
  digest     blob NOT NULL,
  state      text NOT NULL,
  holder     text NOT NULL,
  response   blob,
  began      integer NOT NULL,
  until      integer NOT NULL,
  format     integer NOT NULL DEFAULT 1,
  PRIMARY KEY (caller, operation, key)
) WITHOUT ROWID;
CREATE INDEX levada_idempotency_until ON levada_idempotency (until);

CREATE TABLE levada_audit (
  seq     integer PRIMARY KEY,
  at      integer NOT NULL,
  who     text NOT NULL,
  action  text NOT NULL,
  target  text NOT NULL,
  why     text,
  before  blob,
  after   blob,
  prev    blob NOT NULL,
  hash    blob NOT NULL,
  format  integer NOT NULL DEFAULT 1
);

CREATE TABLE levada_fact (
  id           text PRIMARY KEY,
  at           integer NOT NULL,
  environment  text NOT NULL,
  kind         text NOT NULL,
  api          text,
  consumer     text,
  flow         text,
  ref          text,
  status       text NOT NULL,
  source       text NOT NULL,
  format       integer NOT NULL DEFAULT 1
) WITHOUT ROWID;
CREATE INDEX levada_fact_kind ON levada_fact (kind, at);

CREATE TABLE levada_call (
  minute        integer NOT NULL,
  environment   text NOT NULL,
  consumer      text NOT NULL,
  client        text NOT NULL,
  operation     text NOT NULL,
  ok            integer NOT NULL,
  caller        integer NOT NULL,
  declared      integer NOT NULL,
  provider      integer NOT NULL,
  microseconds  integer NOT NULL,
  format        integer NOT NULL DEFAULT 1,
  PRIMARY KEY (minute, environment, consumer, client, operation)
) WITHOUT ROWID;

CREATE TABLE levada_call_part (
  minute        integer NOT NULL,
  environment   text NOT NULL,
  consumer      text NOT NULL,
  client        text NOT NULL,
  operation     text NOT NULL,
  kind          text NOT NULL,
  name          text NOT NULL,
  n             integer NOT NULL,
  format        integer NOT NULL DEFAULT 1,
  PRIMARY KEY (minute, environment, consumer, client, operation, kind, name)
) WITHOUT ROWID;

CREATE TABLE levada_call_flush (
  process       text PRIMARY KEY,
  batch         integer NOT NULL,
  at            integer NOT NULL
) WITHOUT ROWID;

CREATE TABLE levada_plan (
  product       text NOT NULL,
  plan          text NOT NULL,
  rate          integer,
  per           integer,
  quota         integer,
  needs         text NOT NULL,
  body          blob NOT NULL,
  changed       integer NOT NULL,
  format        integer NOT NULL DEFAULT 1,
  PRIMARY KEY (product, plan)
) WITHOUT ROWID;

CREATE TABLE levada_access (
  id            text NOT NULL UNIQUE,
  consumer      text NOT NULL,
  product       text NOT NULL,
  plan          text NOT NULL,
  environment   text NOT NULL,
  state         text NOT NULL,
  who           text NOT NULL,
  why           text,
  asked         integer NOT NULL,
  decided       integer,
  format        integer NOT NULL DEFAULT 1,
  PRIMARY KEY (consumer, product, environment)
) WITHOUT ROWID;

CREATE TABLE levada_lease (
  name          text PRIMARY KEY,
  holder        text NOT NULL,
  epoch         integer NOT NULL,
  until         integer NOT NULL,
  format        integer NOT NULL DEFAULT 1
) WITHOUT ROWID;

CREATE TABLE levada_key (
  id         text PRIMARY KEY,
  consumer   text NOT NULL,
  product    text NOT NULL,
  plan       text NOT NULL,
  environment text NOT NULL,
  secret     blob NOT NULL,
  created    integer NOT NULL,
  expires    integer,
  revoked    integer,
  format     integer NOT NULL DEFAULT 1
) WITHOUT ROWID;

-- [postgresql]
CREATE TABLE levada_idempotency (
  caller     text NOT NULL,
  operation  text NOT NULL,
  key        text NOT NULL,
  digest     bytea NOT NULL,
  state      text NOT NULL,
  holder     text NOT NULL,
  response   bytea,
  began      bigint NOT NULL,
  until      bigint NOT NULL,
  format     integer NOT NULL DEFAULT 1,
  PRIMARY KEY (caller, operation, key)
);
CREATE INDEX levada_idempotency_until ON levada_idempotency (until);

CREATE TABLE levada_audit (
  seq     bigint PRIMARY KEY,
  at      bigint NOT NULL,
  who     text NOT NULL,
  action  text NOT NULL,
  target  text NOT NULL,
  why     text,
  before  bytea,
  after   bytea,
  prev    bytea NOT NULL,
  hash    bytea NOT NULL,
  format  integer NOT NULL DEFAULT 1
);

CREATE TABLE levada_fact (
  id           text PRIMARY KEY,
  at           bigint NOT NULL,
  environment  text NOT NULL,
  kind         text NOT NULL,
  api          text,
  consumer     text,
  flow         text,
  ref          text,
  status       text NOT NULL,
  source       text NOT NULL,
  format       integer NOT NULL DEFAULT 1
);
CREATE INDEX levada_fact_kind ON levada_fact (kind, at);

CREATE TABLE levada_call (
  minute        bigint NOT NULL,
  environment   text NOT NULL,
  consumer      text NOT NULL,
  client        text NOT NULL,
  operation     text NOT NULL,
  ok            bigint NOT NULL,
  caller        bigint NOT NULL,
  declared      bigint NOT NULL,
  provider      bigint NOT NULL,
  microseconds  bigint NOT NULL,
  format        integer NOT NULL DEFAULT 1,
  PRIMARY KEY (minute, environment, consumer, client, operation)
);

CREATE TABLE levada_call_part (
  minute        bigint NOT NULL,
  environment   text NOT NULL,
  consumer      text NOT NULL,
  client        text NOT NULL,
  operation     text NOT NULL,
  kind          text NOT NULL,
  name          text NOT NULL,
  n             bigint NOT NULL,
  format        integer NOT NULL DEFAULT 1,
  PRIMARY KEY (minute, environment, consumer, client, operation, kind, name)
);

CREATE TABLE levada_call_flush (
  process       text PRIMARY KEY,
  batch         bigint NOT NULL,
  at            bigint NOT NULL
);

CREATE TABLE levada_plan (
  product       text NOT NULL,
  plan          text NOT NULL,
  rate          bigint,
  per           bigint,
  quota         bigint,
  needs         text NOT NULL,
  body          bytea NOT NULL,
  changed       bigint NOT NULL,
  format        integer NOT NULL DEFAULT 1,
  PRIMARY KEY (product, plan)
);

CREATE TABLE levada_access (
  id            text NOT NULL UNIQUE,
  consumer      text NOT NULL,
  product       text NOT NULL,
  plan          text NOT NULL,
  environment   text NOT NULL,
  state         text NOT NULL,
  who           text NOT NULL,
  why           text,
  asked         bigint NOT NULL,
  decided       bigint,
  format        integer NOT NULL DEFAULT 1,
  PRIMARY KEY (consumer, product, environment)
);

CREATE TABLE levada_lease (
  name          text PRIMARY KEY,
  holder        text NOT NULL,
  epoch         bigint NOT NULL,
  until         bigint NOT NULL,
  format        integer NOT NULL DEFAULT 1
);

CREATE TABLE levada_key (
  id         text PRIMARY KEY,
  consumer   text NOT NULL,
  product    text NOT NULL,
  plan       text NOT NULL,
  environment text NOT NULL,
  secret     bytea NOT NULL,
  created    bigint NOT NULL,
  expires    bigint,
  revoked    bigint,
  format     integer NOT NULL DEFAULT 1
);
