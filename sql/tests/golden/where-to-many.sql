-- through relations to many, and on from there

-- sqlite
SELECT "customers"."id" FROM "customers" WHERE EXISTS (SELECT 1 FROM "orders" AS "stk_1" WHERE "stk_1"."customerId" = "customers"."id" AND "stk_1"."owner" COLLATE BINARY = ? AND ("stk_1"."status" COLLATE BINARY IN (?, ?) AND EXISTS (SELECT 1 FROM "items" AS "stk_2" WHERE "stk_2"."orderId" = "stk_1"."id" AND "stk_2"."price" COLLATE stk_decimal > ? AND "stk_2"."sku" GLOB ? LIMIT 1)) LIMIT 1) LIMIT ?
-- binds string "ada", string "paid", string "open", decimal 1, string "A*", bigint 10
-- answers id string

-- postgres
SELECT "customers"."id" FROM "customers" WHERE EXISTS (SELECT 1 FROM "orders" AS "stk_1" WHERE "stk_1"."customerId" = "customers"."id" AND "stk_1"."owner" = $1 AND ("stk_1"."status" IN ($2, $3) AND EXISTS (SELECT 1 FROM "items" AS "stk_2" WHERE "stk_2"."orderId" = "stk_1"."id" AND "stk_2"."price" > $4 AND CAST("stk_2"."sku" AS text) LIKE $5 ESCAPE '!'))) LIMIT $6
-- binds string "ada", string "paid", string "open", decimal 1, string "A%", bigint 10
-- answers id string

-- mysql
SELECT `customers`.`id` FROM `customers` WHERE EXISTS (SELECT 1 FROM `orders` AS `stk_1` WHERE `stk_1`.`customerId` = `customers`.`id` AND (`stk_1`.`owner` = ? AND CAST(CONVERT(`stk_1`.`owner` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) AND ((`stk_1`.`status` IN (?, ?) AND CAST(CONVERT(`stk_1`.`status` USING utf8mb4) AS BINARY) IN (CAST(? AS BINARY), CAST(? AS BINARY))) AND EXISTS (SELECT 1 FROM `items` AS `stk_2` WHERE `stk_2`.`orderId` = `stk_1`.`id` AND `stk_2`.`price` > ? AND CONVERT(`stk_2`.`sku` USING utf8mb4) COLLATE utf8mb4_bin LIKE ? ESCAPE '!'))) LIMIT ?
-- binds string "ada", string "ada", string "paid", string "open", string "paid", string "open", decimal 1, string "A%", bigint 10
-- answers id string
