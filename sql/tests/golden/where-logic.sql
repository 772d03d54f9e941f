-- $and, $or and $not

-- sqlite
SELECT "id" FROM "orders" WHERE (("status" COLLATE BINARY = ? OR ("total" COLLATE stk_decimal > ? AND "gift" = ?) OR NOT ("owner" COLLATE BINARY = ?)) AND NOT ("note" IS NULL)) LIMIT ?
-- binds string "paid", decimal 5, boolean true, string "ada", bigint 10
-- answers id string

-- postgres
SELECT "id" FROM "orders" WHERE (("status" = $1 OR ("total" > $2 AND "gift" = $3) OR NOT ("owner" = $4)) AND NOT ("note" IS NULL)) LIMIT $5
-- binds string "paid", decimal 5, boolean true, string "ada", bigint 10
-- answers id string

-- mysql
SELECT `id` FROM `orders` WHERE (((`status` = ? AND CAST(CONVERT(`status` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) OR (`total` > ? AND `gift` = ?) OR NOT ((`owner` = ? AND CAST(CONVERT(`owner` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)))) AND NOT (`note` IS NULL)) LIMIT ?
-- binds string "paid", string "paid", decimal 5, boolean true, string "ada", string "ada", bigint 10
-- answers id string
