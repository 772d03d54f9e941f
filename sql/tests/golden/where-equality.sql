-- equality by each type

-- sqlite
SELECT "id" FROM "orders" WHERE ("status" COLLATE BINARY = ? AND "total" COLLATE stk_decimal = ? AND "quantity" = ? AND "points" = ? AND "weight" = ? AND "gift" = ? AND "placedAt" = ? AND "seal" = ? AND "receipt" COLLATE BINARY = ?) LIMIT ?
-- binds string "paid", decimal 12.50, int 3, bigint 9007199254740993, float 1.5, boolean true, timestamp 2026-01-31T12:00:00.000001Z, bytes [97, 98, 99], file "a/b", bigint 10
-- answers id string

-- postgres
SELECT "id" FROM "orders" WHERE ("status" = $1 AND "total" = $2 AND "quantity" = $3 AND "points" = $4 AND "weight" = $5 AND "gift" = $6 AND "placedAt" = $7 AND "seal" = $8 AND "receipt" = $9) LIMIT $10
-- binds string "paid", decimal 12.50, int 3, bigint 9007199254740993, float 1.5, boolean true, timestamp 2026-01-31T12:00:00.000001Z, bytes [97, 98, 99], file "a/b", bigint 10
-- answers id string

-- mysql
SELECT `id` FROM `orders` WHERE ((`status` = ? AND CAST(CONVERT(`status` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) AND `total` = ? AND `quantity` = ? AND `points` = ? AND `weight` = ? AND `gift` = ? AND `placedAt` = ? AND `seal` = ? AND (`receipt` = ? AND CAST(CONVERT(`receipt` USING utf8mb4) AS BINARY) = CAST(? AS BINARY))) LIMIT ?
-- binds string "paid", string "paid", decimal 12.50, int 3, bigint 9007199254740993, float 1.5, boolean true, timestamp 2026-01-31T12:00:00.000001Z, bytes [97, 98, 99], file "a/b", file "a/b", bigint 10
-- answers id string
