-- Runs and parked events of a key are found without reading all. Events of a key are in one partition of the log,
-- which is read from its end: an index there would cost each publication more than an operator gains by it.

-- [all]
CREATE INDEX levada_run_key ON levada_run (key, created) WHERE key IS NOT NULL;
CREATE INDEX levada_parked_of_key ON levada_parked (key, seq) WHERE key IS NOT NULL;
