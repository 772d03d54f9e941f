-- an offset without a limit

-- sqlite
SELECT "id" FROM "orders" ORDER BY "id" COLLATE BINARY LIMIT -1 OFFSET ?
-- binds bigint 5
-- answers id string

-- postgres
SELECT "id" FROM "orders" ORDER BY CAST("id" AS text) COLLATE "C" OFFSET $1
-- binds bigint 5
-- answers id string

-- mysql
SELECT `id` FROM `orders` ORDER BY `id` LIMIT 18446744073709551615 OFFSET ?
-- binds bigint 5
-- answers id string
