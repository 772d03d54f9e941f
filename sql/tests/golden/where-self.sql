-- a table that refers to itself, three levels

-- sqlite
SELECT "employees"."id", "employees"."name" FROM "employees" WHERE (EXISTS (SELECT 1 FROM "employees" AS "stk_1" WHERE "stk_1"."id" = "employees"."managerId" AND "stk_1"."salary" COLLATE stk_decimal < ? AND EXISTS (SELECT 1 FROM "employees" AS "stk_2" WHERE "stk_2"."id" = "stk_1"."managerId" AND "stk_2"."salary" COLLATE stk_decimal < ? AND "stk_2"."name" COLLATE BINARY = ? LIMIT 1) LIMIT 1) AND NOT (EXISTS (SELECT 1 FROM "employees" AS "stk_3" WHERE "stk_3"."managerId" = "employees"."id" AND "stk_3"."salary" COLLATE stk_decimal < ? AND "stk_3"."salary" COLLATE stk_decimal > ? LIMIT 1))) AND "employees"."salary" COLLATE stk_decimal < ? ORDER BY "employees"."name" COLLATE BINARY NULLS LAST, "employees"."id" COLLATE BINARY LIMIT ?
-- binds decimal 100, decimal 100, string "ada", decimal 100, decimal 1, decimal 200, bigint 10
-- answers id string, name string

-- postgres
SELECT "employees"."id", "employees"."name" FROM "employees" WHERE (EXISTS (SELECT 1 FROM "employees" AS "stk_1" WHERE "stk_1"."id" = "employees"."managerId" AND "stk_1"."salary" < $1 AND EXISTS (SELECT 1 FROM "employees" AS "stk_2" WHERE "stk_2"."id" = "stk_1"."managerId" AND "stk_2"."salary" < $2 AND "stk_2"."name" = $3)) AND NOT (EXISTS (SELECT 1 FROM "employees" AS "stk_3" WHERE "stk_3"."managerId" = "employees"."id" AND "stk_3"."salary" < $4 AND "stk_3"."salary" > $5))) AND "employees"."salary" < $6 ORDER BY CAST("employees"."name" AS text) COLLATE "C" NULLS LAST, CAST("employees"."id" AS text) COLLATE "C" LIMIT $7
-- binds decimal 100, decimal 100, string "ada", decimal 100, decimal 1, decimal 200, bigint 10
-- answers id string, name string

-- mysql
SELECT `employees`.`id`, `employees`.`name` FROM `employees` WHERE (EXISTS (SELECT 1 FROM `employees` AS `stk_1` WHERE `stk_1`.`id` = `employees`.`managerId` AND `stk_1`.`salary` < ? AND EXISTS (SELECT 1 FROM `employees` AS `stk_2` WHERE `stk_2`.`id` = `stk_1`.`managerId` AND `stk_2`.`salary` < ? AND (`stk_2`.`name` = ? AND CAST(CONVERT(`stk_2`.`name` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)))) AND NOT (EXISTS (SELECT 1 FROM `employees` AS `stk_3` WHERE `stk_3`.`managerId` = `employees`.`id` AND `stk_3`.`salary` < ? AND `stk_3`.`salary` > ?))) AND `employees`.`salary` < ? ORDER BY `employees`.`name` IS NULL, `employees`.`name`, `employees`.`id` LIMIT ?
-- binds decimal 100, decimal 100, string "ada", string "ada", decimal 100, decimal 1, decimal 200, bigint 10
-- answers id string, name string
