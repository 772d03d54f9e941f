-- a rule is added to whatever the caller asks

-- sqlite
SELECT "id" FROM "orders" WHERE ("status" COLLATE BINARY = ? OR "gift" = ?) AND ("owner" COLLATE BINARY = ? OR "gift") LIMIT ?
-- binds string "paid", boolean true, string "ada", bigint 10
-- answers id string

-- postgres
SELECT "id" FROM "orders" WHERE ("status" = $1 OR "gift" = $2) AND ("owner" = $3 OR "gift") LIMIT $4
-- binds string "paid", boolean true, string "ada", bigint 10
-- answers id string

-- mysql
SELECT `id` FROM `orders` WHERE ((`status` = ? AND CAST(CONVERT(`status` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) OR `gift` = ?) AND ((`owner` = ? AND CAST(CONVERT(`owner` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) OR `gift`) LIMIT ?
-- binds string "paid", string "paid", boolean true, string "ada", string "ada", bigint 10
-- answers id string
