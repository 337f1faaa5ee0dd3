-- The forms of events and operations that rows of this store were written in. Times are microseconds UTC.
-- `until`: when a deployment first came without this form; NULL while it is current.

-- [sqlite]
CREATE TABLE levada_form (
  name    text NOT NULL,
  digest  text NOT NULL,
  kind    text NOT NULL,
  body    blob NOT NULL,
  since   integer NOT NULL,
  until   integer,
  format  integer NOT NULL DEFAULT 1,
  PRIMARY KEY (name, digest)
) WITHOUT ROWID;

-- [postgresql]
CREATE TABLE levada_form (
  name    text NOT NULL,
  digest  text NOT NULL,
  kind    text NOT NULL,
  body    bytea NOT NULL,
  since   bigint NOT NULL,
  until   bigint,
  format  bigint NOT NULL DEFAULT 1,
  PRIMARY KEY (name, digest)
);
