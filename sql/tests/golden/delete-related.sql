-- rows chosen through a relation to the same table

-- sqlite
-- affected
DELETE FROM "employees" WHERE EXISTS (SELECT 1 FROM "employees" AS "stk_1" WHERE "stk_1"."id" = "employees"."managerId" AND "stk_1"."name" COLLATE BINARY = ? LIMIT 1) AND "employees"."name" IS NOT NULL
-- binds string "bob"

-- postgres
-- affected
DELETE FROM "employees" WHERE EXISTS (SELECT 1 FROM "employees" AS "stk_1" WHERE "stk_1"."id" = "employees"."managerId" AND "stk_1"."name" = $1) AND "employees"."name" IS NOT NULL
-- binds string "bob"

-- mysql
-- lock
SELECT `employees`.`id` FROM `employees` WHERE EXISTS (SELECT 1 FROM `employees` AS `stk_1` WHERE `stk_1`.`id` = `employees`.`managerId` AND (`stk_1`.`name` = ? AND CAST(CONVERT(`stk_1`.`name` USING utf8mb4) AS BINARY) = CAST(? AS BINARY))) AND `employees`.`name` IS NOT NULL ORDER BY `employees`.`id` LIMIT ? FOR UPDATE
-- binds string "bob", string "bob", bigint 1001
-- answers id string
-- by key
DELETE FROM `employees` WHERE `id` IN (?, ?, ?, ?) AND `name` IS NOT NULL
-- binds string "key1", string "key2", string "key3", string "key3"
