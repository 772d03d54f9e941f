-- a $or of nothing admits nothing

-- sqlite
SELECT "id" FROM "orders" WHERE FALSE LIMIT ?
-- binds bigint 10
-- answers id string

-- postgres
SELECT "id" FROM "orders" WHERE FALSE LIMIT $1
-- binds bigint 10
-- answers id string

-- mysql
SELECT `id` FROM `orders` WHERE FALSE LIMIT ?
-- binds bigint 10
-- answers id string
