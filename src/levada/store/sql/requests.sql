-- Changes that need the approval of a second person.

-- name: request.add
-- Ask for a change.
INSERT INTO levada_request (id, action, arguments, who, why, asked, state)
VALUES (:id, :action, :arguments, :who, :why, :now, 'asked')

-- name: request.get
-- One request.
SELECT id, action, arguments, who, why, asked, state, decider, decided FROM levada_request WHERE id = :id

-- name: request.list
-- Requests of a state, oldest first.
SELECT id, action, arguments, who, why, asked, state, decider, decided FROM levada_request
WHERE state = :state ORDER BY asked, id LIMIT CAST(:n AS bigint)

-- name: request.decide
-- Decide one, from the state that was seen.
UPDATE levada_request SET state = :state, decider = :decider, decided = :now WHERE id = :id AND state = :from
