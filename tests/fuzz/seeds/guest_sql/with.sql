WITH RECURSIVE gone(id) AS (DELETE FROM "items" WHERE id = $1 RETURNING id) SELECT * FROM gone -- all
