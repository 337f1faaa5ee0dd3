-- What the store knows of itself.

-- name: meta.get
-- One value.
SELECT value FROM levada_meta WHERE name = :name

-- name: meta.set
-- Write one value.
INSERT INTO levada_meta (name, value) VALUES (:name, :value)
ON CONFLICT (name) DO UPDATE SET value = excluded.value
