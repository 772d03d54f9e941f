-- membership in a rule, also negated

-- sqlite
SELECT "id" FROM "orders" WHERE (("status" COLLATE BINARY IN (?, ?, ?, ?)) AND NOT ((("owner" IS NOT NULL AND "owner" COLLATE BINARY IN (?, ?)) OR "owner" IS NULL)) AND ("owner" COLLATE BINARY = ? OR "note" COLLATE BINARY = ?) AND ("total" COLLATE stk_decimal IN (?, ?))) LIMIT ?
-- binds string "paid", string "open", string "new", string "new", string "red", string "blue", string "ada", string "ada", decimal 1, decimal 2.5, bigint 10
-- answers id string

-- postgres
SELECT "id" FROM "orders" WHERE (("status" IN ($1, $2, $3, $4)) AND NOT ((("owner" IS NOT NULL AND "owner" IN ($5, $6)) OR "owner" IS NULL)) AND ("owner" = $7 OR "note" = $8) AND ("total" IN ($9, $10))) LIMIT $11
-- binds string "paid", string "open", string "new", string "new", string "red", string "blue", string "ada", string "ada", decimal 1, decimal 2.5, bigint 10
-- answers id string

-- mysql
SELECT `id` FROM `orders` WHERE ((`status` IN (?, ?, ?, ?) AND CAST(CONVERT(`status` USING utf8mb4) AS BINARY) IN (CAST(? AS BINARY), CAST(? AS BINARY), CAST(? AS BINARY), CAST(? AS BINARY))) AND NOT (((`owner` IS NOT NULL AND `owner` IN (?, ?) AND CAST(CONVERT(`owner` USING utf8mb4) AS BINARY) IN (CAST(? AS BINARY), CAST(? AS BINARY))) OR `owner` IS NULL)) AND ((`owner` = ? AND CAST(CONVERT(`owner` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) OR (`note` = ? AND CAST(CONVERT(`note` USING utf8mb4) AS BINARY) = CAST(? AS BINARY))) AND (`total` IN (?, ?))) LIMIT ?
-- binds string "paid", string "open", string "new", string "new", string "paid", string "open", string "new", string "new", string "red", string "blue", string "red", string "blue", string "ada", string "ada", string "ada", string "ada", decimal 1, decimal 2.5, bigint 10
-- answers id string
