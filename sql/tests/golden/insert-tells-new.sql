-- which rows are new and which were there already is answered, where the engine knows; where it does not, it is refused

-- sqlite
-- returning
-- refused: the plan is not whole: this dialect cannot tell which rows are new

-- postgres
-- returning
INSERT INTO "orders" ("id", "customerId", "status", "total") VALUES ($1, $2, $3, $4), ($5, $6, $7, $8) ON CONFLICT ("customerId", "status") DO UPDATE SET "total" = excluded."total" WHERE "orders"."owner" = $9 RETURNING "id", "total", (("owner" = $10 AND NOT ("total" IS NOT DISTINCT FROM $11))) IS TRUE AS "stk_check", (xmax = 0) AS "stk_new"
-- binds string "o1", string "c1", string "paid", decimal 1.5, string "o2", string "c1", string "open", decimal NULL, string "ada", string "ada", decimal 0
-- answers id string, total decimal, stk_check boolean, stk_new boolean

-- mysql
-- existing rows
SELECT CASE WHEN (`customerId` = ? AND `status` = ?) THEN ? WHEN (`customerId` = ? AND `status` = ?) THEN ? END AS `stk_row`, `id`, ((`owner` = ? AND CAST(CONVERT(`owner` USING utf8mb4) AS BINARY) = CAST(? AS BINARY))) IS TRUE AS `stk_check` FROM `orders` WHERE (`customerId` = ? AND `status` = ?) OR (`customerId` = ? AND `status` = ?) FOR UPDATE
-- binds string "c1", string "paid", bigint 0, string "c1", string "open", bigint 1, string "ada", string "ada", string "c1", string "paid", string "c1", string "open"
-- answers stk_row bigint, id string, stk_check boolean
-- by key
-- refused: the plan is not whole: this dialect cannot tell which rows are new
-- check
SELECT count(*) AS `count` FROM `orders` WHERE `id` IN (?, ?, ?, ?) AND ((`owner` = ? AND CAST(CONVERT(`owner` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) AND NOT (`total` <=> ?))
-- binds string "key1", string "key2", string "key3", string "key3", string "ada", string "ada", decimal 0
-- answers count bigint
-- rows
SELECT `id`, `total` FROM `orders` WHERE `id` IN (?, ?, ?, ?)
-- binds string "key1", string "key2", string "key3", string "key3"
-- answers id string, total decimal
