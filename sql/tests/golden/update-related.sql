-- rows chosen through a relation to the same table

-- sqlite
-- affected
UPDATE "employees" SET "name" = ? WHERE EXISTS (SELECT 1 FROM "employees" AS "stk_1" WHERE "stk_1"."id" = "employees"."managerId" AND "stk_1"."salary" COLLATE stk_decimal < ? AND "stk_1"."name" COLLATE BINARY = ? LIMIT 1)
-- binds string "ada", decimal 100, string "bob"

-- postgres
-- affected
UPDATE "employees" SET "name" = $1 WHERE EXISTS (SELECT 1 FROM "employees" AS "stk_1" WHERE "stk_1"."id" = "employees"."managerId" AND "stk_1"."salary" < $2 AND "stk_1"."name" = $3)
-- binds string "ada", decimal 100, string "bob"

-- mysql
-- lock
SELECT `employees`.`id` FROM `employees` WHERE EXISTS (SELECT 1 FROM `employees` AS `stk_1` WHERE `stk_1`.`id` = `employees`.`managerId` AND `stk_1`.`salary` < ? AND (`stk_1`.`name` = ? AND CAST(CONVERT(`stk_1`.`name` USING utf8mb4) AS BINARY) = CAST(? AS BINARY))) ORDER BY `employees`.`id` LIMIT ? FOR UPDATE
-- binds decimal 100, string "bob", string "bob", bigint 1001
-- answers id string
-- by key
UPDATE `employees` SET `name` = ? WHERE `id` IN (?, ?, ?, ?)
-- binds string "ada", string "key1", string "key2", string "key3", string "key3"
