-- Changes that somebody has asked for and another has to approve. Times are microseconds UTC.

-- [sqlite]
CREATE TABLE levada_request (
  id         text PRIMARY KEY,
  action     text NOT NULL,
  arguments  blob NOT NULL,
  who        text NOT NULL,
  why        text NOT NULL,
  asked      integer NOT NULL,
  state      text NOT NULL,
  decider    text,
  decided    integer,
  format     integer NOT NULL DEFAULT 1
) WITHOUT ROWID;

-- [postgresql]
CREATE TABLE levada_request (
  id         text PRIMARY KEY,
  action     text NOT NULL,
  arguments  bytea NOT NULL,
  who        text NOT NULL,
  why        text NOT NULL,
  asked      bigint NOT NULL,
  state      text NOT NULL,
  decider    text,
  decided    bigint,
  format     bigint NOT NULL DEFAULT 1
);

-- [all]
CREATE INDEX levada_request_state ON levada_request (state, asked);
