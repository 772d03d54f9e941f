-- no keys, no rows

-- sqlite
SELECT "id" FROM "items" WHERE FALSE LIMIT ?
-- binds bigint 10
-- answers id bigint

-- postgres
SELECT "id" FROM "items" WHERE FALSE LIMIT $1
-- binds bigint 10
-- answers id bigint

-- mysql
SELECT `id` FROM `items` WHERE FALSE LIMIT ?
-- binds bigint 10
-- answers id bigint
