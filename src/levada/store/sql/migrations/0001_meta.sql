-- What the store knows of itself.

-- [all]
CREATE TABLE levada_meta (
  name   text PRIMARY KEY,
  value  text NOT NULL
);
