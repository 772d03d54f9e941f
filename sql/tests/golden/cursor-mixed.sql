-- behind a position in three parts

-- sqlite
SELECT "id" FROM "orders" WHERE "gift" AND ("status" COLLATE BINARY >= ? AND (("status" COLLATE BINARY > ?) OR ("status" COLLATE BINARY = ? AND ("total" COLLATE stk_decimal < ? OR "total" IS NULL)) OR ("status" COLLATE BINARY = ? AND "total" COLLATE stk_decimal = ? AND "id" COLLATE BINARY > ?))) ORDER BY "status" COLLATE BINARY, "total" COLLATE stk_decimal DESC NULLS LAST, "id" COLLATE BINARY LIMIT ?
-- binds string "paid", string "paid", string "paid", decimal 12.5, string "paid", decimal 12.5, string "o9", bigint 51
-- answers id string

-- postgres
SELECT "id" FROM "orders" WHERE "gift" AND (CAST("status" AS text) COLLATE "C" >= $1 AND ((CAST("status" AS text) COLLATE "C" > $2) OR (CAST("status" AS text) COLLATE "C" = $3 AND ("total" < $4 OR "total" IS NULL)) OR (CAST("status" AS text) COLLATE "C" = $5 AND "total" = $6 AND CAST("id" AS text) COLLATE "C" > $7))) ORDER BY CAST("status" AS text) COLLATE "C", "total" DESC NULLS LAST, CAST("id" AS text) COLLATE "C" LIMIT $8
-- binds string "paid", string "paid", string "paid", decimal 12.5, string "paid", decimal 12.5, string "o9", bigint 51
-- answers id string

-- mysql
SELECT `id` FROM `orders` WHERE `gift` AND (`status` >= ? AND ((`status` > ?) OR (`status` = ? AND (`total` < ? OR `total` IS NULL)) OR (`status` = ? AND `total` = ? AND `id` > ?))) ORDER BY `status`, `total` IS NULL, `total` DESC, `id` LIMIT ?
-- binds string "paid", string "paid", string "paid", decimal 12.5, string "paid", decimal 12.5, string "o9", bigint 51
-- answers id string
