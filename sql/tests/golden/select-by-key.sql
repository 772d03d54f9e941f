-- a row by its key

-- sqlite
SELECT "id", "status", "total" FROM "orders" WHERE "id" COLLATE BINARY = ? LIMIT ?
-- binds string "o1", bigint 2
-- answers id string, status string, total decimal

-- postgres
SELECT "id", "status", "total" FROM "orders" WHERE "id" = $1 LIMIT $2
-- binds string "o1", bigint 2
-- answers id string, status string, total decimal

-- mysql
SELECT `id`, `status`, `total` FROM `orders` WHERE (`id` = ? AND CAST(CONVERT(`id` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) LIMIT ?
-- binds string "o1", string "o1", bigint 2
-- answers id string, status string, total decimal
