-- how many combinations

-- sqlite
SELECT count(*) AS "count" FROM (SELECT DISTINCT "orders"."status" COLLATE BINARY AS "status", "orders"."total" COLLATE stk_decimal AS "total" FROM "orders" WHERE EXISTS (SELECT 1 FROM "customers" AS "stk_1" WHERE "stk_1"."id" = "orders"."customerId" AND "stk_1"."active" = ? LIMIT 1) AND "orders"."gift") AS "stk_distinct"
-- binds boolean true
-- answers count bigint

-- postgres
SELECT count(*) AS "count" FROM (SELECT DISTINCT "orders"."status", "orders"."total" FROM "orders" WHERE EXISTS (SELECT 1 FROM "customers" AS "stk_1" WHERE "stk_1"."id" = "orders"."customerId" AND "stk_1"."active" = $1) AND "orders"."gift") AS "stk_distinct"
-- binds boolean true
-- answers count bigint

-- mysql
SELECT count(*) AS `count` FROM (SELECT DISTINCT `orders`.`status`, `orders`.`total` FROM `orders` WHERE EXISTS (SELECT 1 FROM `customers` AS `stk_1` WHERE `stk_1`.`id` = `orders`.`customerId` AND `stk_1`.`active` = ?) AND `orders`.`gift`) AS `stk_distinct`
-- binds boolean true
-- answers count bigint
