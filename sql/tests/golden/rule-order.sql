-- order in a rule, also negated

-- sqlite
SELECT "id" FROM "orders" WHERE (("total" COLLATE stk_decimal >= ? OR "total" COLLATE stk_decimal < CAST("quantity" AS TEXT)) AND NOT ("points" > ?) AND "placedAt" <= ? AND NOT ("weight" IS "quantity") AND "status" COLLATE BINARY > ? AND NOT ("total" COLLATE stk_decimal IS ?)) LIMIT ?
-- binds decimal 10.5, bigint 9007199254740993, timestamp 2026-06-01T12:00:00.000000Z, string "paid", decimal 1.5, bigint 10
-- answers id string

-- postgres
SELECT "id" FROM "orders" WHERE (("total" >= $1 OR "total" < "quantity") AND NOT ("points" > $2) AND "placedAt" <= $3 AND NOT ("weight" IS NOT DISTINCT FROM "quantity") AND CAST("status" AS text) COLLATE "C" > $4 AND NOT ("total" IS NOT DISTINCT FROM $5)) LIMIT $6
-- binds decimal 10.5, bigint 9007199254740993, timestamp 2026-06-01T12:00:00.000000Z, string "paid", decimal 1.5, bigint 10
-- answers id string

-- mysql
SELECT `id` FROM `orders` WHERE ((`total` >= ? OR `total` < `quantity`) AND NOT (`points` > ?) AND `placedAt` <= ? AND NOT (`weight` <=> `quantity`) AND CAST(CONVERT(`status` USING utf8mb4) AS BINARY) > CAST(? AS BINARY) AND NOT (`total` <=> ?)) LIMIT ?
-- binds decimal 10.5, bigint 9007199254740993, timestamp 2026-06-01T12:00:00.000000Z, string "paid", decimal 1.5, bigint 10
-- answers id string
