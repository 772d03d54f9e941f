-- lists are padded to powers of two, by type

-- sqlite
SELECT "id" FROM "orders" WHERE ("total" COLLATE stk_decimal IN (?, ?, ?, ?) AND NOT ("points" IN (?)) AND "status" COLLATE BINARY IN (?, ?, ?, ?, ?, ?, ?, ?) AND FALSE) LIMIT ?
-- binds decimal 1, decimal 2.5, decimal 3, decimal 3, bigint 1, string "a", string "b", string "c", string "d", string "paid", string "paid", string "paid", string "paid", bigint 10
-- answers id string

-- postgres
SELECT "id" FROM "orders" WHERE ("total" IN ($1, $2, $3, $4) AND NOT ("points" IN ($5)) AND "status" IN ($6, $7, $8, $9, $10, $11, $12, $13) AND FALSE) LIMIT $14
-- binds decimal 1, decimal 2.5, decimal 3, decimal 3, bigint 1, string "a", string "b", string "c", string "d", string "paid", string "paid", string "paid", string "paid", bigint 10
-- answers id string

-- mysql
SELECT `id` FROM `orders` WHERE (`total` IN (?, ?, ?, ?) AND NOT (`points` IN (?)) AND (`status` IN (?, ?, ?, ?, ?, ?, ?, ?) AND CAST(CONVERT(`status` USING utf8mb4) AS BINARY) IN (CAST(? AS BINARY), CAST(? AS BINARY), CAST(? AS BINARY), CAST(? AS BINARY), CAST(? AS BINARY), CAST(? AS BINARY), CAST(? AS BINARY), CAST(? AS BINARY))) AND FALSE) LIMIT ?
-- binds decimal 1, decimal 2.5, decimal 3, decimal 3, bigint 1, string "a", string "b", string "c", string "d", string "paid", string "paid", string "paid", string "paid", string "a", string "b", string "c", string "d", string "paid", string "paid", string "paid", string "paid", bigint 10
-- answers id string
