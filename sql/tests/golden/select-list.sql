-- a list in an order, with a part left out

-- sqlite
SELECT "id", "status" FROM "orders" ORDER BY "placedAt" DESC NULLS LAST, "id" COLLATE BINARY LIMIT ? OFFSET ?
-- binds bigint 51, bigint 100
-- answers id string, status string

-- postgres
SELECT "id", "status" FROM "orders" ORDER BY "placedAt" DESC NULLS LAST, CAST("id" AS text) COLLATE "C" LIMIT $1 OFFSET $2
-- binds bigint 51, bigint 100
-- answers id string, status string

-- mysql
SELECT `id`, `status` FROM `orders` ORDER BY `placedAt` IS NULL, `placedAt` DESC, `id` LIMIT ? OFFSET ?
-- binds bigint 51, bigint 100
-- answers id string, status string
