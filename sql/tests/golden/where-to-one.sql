-- through a relation to one, with the rule of the other table

-- sqlite
SELECT "orders"."id" FROM "orders" WHERE ("orders"."status" COLLATE BINARY = ? AND EXISTS (SELECT 1 FROM "customers" AS "stk_1" WHERE "stk_1"."id" = "orders"."customerId" AND ("stk_1"."active" AND "stk_1"."region" IS NOT NULL) AND "stk_1"."email" COLLATE BINARY = ? LIMIT 1)) AND "orders"."owner" COLLATE BINARY = ? LIMIT ?
-- binds string "paid", string "ada", string "ada", bigint 10
-- answers id string

-- postgres
SELECT "orders"."id" FROM "orders" WHERE ("orders"."status" = $1 AND EXISTS (SELECT 1 FROM "customers" AS "stk_1" WHERE "stk_1"."id" = "orders"."customerId" AND ("stk_1"."active" AND "stk_1"."region" IS NOT NULL) AND "stk_1"."email" = $2)) AND "orders"."owner" = $3 LIMIT $4
-- binds string "paid", string "ada", string "ada", bigint 10
-- answers id string

-- mysql
SELECT `orders`.`id` FROM `orders` WHERE ((`orders`.`status` = ? AND CAST(CONVERT(`orders`.`status` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) AND EXISTS (SELECT 1 FROM `customers` AS `stk_1` WHERE `stk_1`.`id` = `orders`.`customerId` AND (`stk_1`.`active` AND `stk_1`.`region` IS NOT NULL) AND (`stk_1`.`email` = ? AND CAST(CONVERT(`stk_1`.`email` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)))) AND (`orders`.`owner` = ? AND CAST(CONVERT(`orders`.`owner` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) LIMIT ?
-- binds string "paid", string "paid", string "ada", string "ada", string "ada", string "ada", bigint 10
-- answers id string
