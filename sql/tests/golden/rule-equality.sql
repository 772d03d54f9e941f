-- a rule's equality is that of CEL: NULL is NULL

-- sqlite
SELECT "id" FROM "orders" WHERE ("owner" COLLATE BINARY = ? AND NOT ("quantity" IS ?) AND NOT (("status" COLLATE BINARY IS ? OR "owner" COLLATE BINARY IS "status")) AND "note" IS NULL AND "meta" IS NOT NULL) LIMIT ?
-- binds string "ada", int 3, string "paid", bigint 10
-- answers id string

-- postgres
SELECT "id" FROM "orders" WHERE ("owner" = $1 AND NOT ("quantity" IS NOT DISTINCT FROM $2) AND NOT (("status" IS NOT DISTINCT FROM $3 OR CAST("owner" AS text) IS NOT DISTINCT FROM CAST("status" AS text))) AND "note" IS NULL AND "meta" IS NOT NULL) LIMIT $4
-- binds string "ada", int 3, string "paid", bigint 10
-- answers id string

-- mysql
SELECT `id` FROM `orders` WHERE ((`owner` = ? AND CAST(CONVERT(`owner` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) AND NOT (`quantity` <=> ?) AND NOT (((`status` <=> ? AND CAST(CONVERT(`status` USING utf8mb4) AS BINARY) <=> CAST(? AS BINARY)) OR (`owner` <=> `status` AND CAST(CONVERT(`owner` USING utf8mb4) AS BINARY) <=> CAST(CONVERT(`status` USING utf8mb4) AS BINARY)))) AND `note` IS NULL AND `meta` IS NOT NULL) LIMIT ?
-- binds string "ada", string "ada", int 3, string "paid", string "paid", bigint 10
-- answers id string
