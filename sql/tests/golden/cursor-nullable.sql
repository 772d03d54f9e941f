-- behind a position in an order of a nullable column, down

-- sqlite
SELECT "id" FROM "orders" WHERE "status" COLLATE BINARY = ? AND ((("placedAt" < ? OR "placedAt" IS NULL)) OR ("placedAt" = ? AND "id" COLLATE BINARY > ?)) ORDER BY "placedAt" DESC NULLS LAST, "id" COLLATE BINARY LIMIT ?
-- binds string "paid", timestamp 2026-01-01T00:00:00.000000Z, timestamp 2026-01-01T00:00:00.000000Z, string "o9", bigint 51
-- answers id string

-- postgres
SELECT "id" FROM "orders" WHERE "status" = $1 AND ((("placedAt" < $2 OR "placedAt" IS NULL)) OR ("placedAt" = $3 AND CAST("id" AS text) COLLATE "C" > $4)) ORDER BY "placedAt" DESC NULLS LAST, CAST("id" AS text) COLLATE "C" LIMIT $5
-- binds string "paid", timestamp 2026-01-01T00:00:00.000000Z, timestamp 2026-01-01T00:00:00.000000Z, string "o9", bigint 51
-- answers id string

-- mysql
SELECT `id` FROM `orders` WHERE (`status` = ? AND CAST(CONVERT(`status` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) AND (((`placedAt` < ? OR `placedAt` IS NULL)) OR (`placedAt` = ? AND `id` > ?)) ORDER BY `placedAt` IS NULL, `placedAt` DESC, `id` LIMIT ?
-- binds string "paid", string "paid", timestamp 2026-01-01T00:00:00.000000Z, timestamp 2026-01-01T00:00:00.000000Z, string "o9", bigint 51
-- answers id string
