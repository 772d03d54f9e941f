-- reserved words and mixed case as names

-- sqlite
SELECT "select"."order", "select"."group", "select"."From", "select"."where" FROM "select" WHERE ("select"."group" COLLATE BINARY = ? AND EXISTS (SELECT 1 FROM "select" AS "stk_1" WHERE "stk_1"."order" = "select"."where" AND "stk_1"."From" COLLATE BINARY = ? LIMIT 1)) ORDER BY "select"."From" COLLATE BINARY DESC NULLS LAST, "select"."order" LIMIT ?
-- binds string "paid", string "x", bigint 10
-- answers order int, group string, From string, where int

-- postgres
SELECT "select"."order", "select"."group", "select"."From", "select"."where" FROM "select" WHERE ("select"."group" = $1 AND EXISTS (SELECT 1 FROM "select" AS "stk_1" WHERE "stk_1"."order" = "select"."where" AND "stk_1"."From" = $2)) ORDER BY CAST("select"."From" AS text) COLLATE "C" DESC NULLS LAST, "select"."order" LIMIT $3
-- binds string "paid", string "x", bigint 10
-- answers order int, group string, From string, where int

-- mysql
SELECT `select`.`order`, `select`.`group`, `select`.`From`, `select`.`where` FROM `select` WHERE ((`select`.`group` = ? AND CAST(CONVERT(`select`.`group` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) AND EXISTS (SELECT 1 FROM `select` AS `stk_1` WHERE `stk_1`.`order` = `select`.`where` AND (`stk_1`.`From` = ? AND CAST(CONVERT(`stk_1`.`From` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)))) ORDER BY `select`.`From` IS NULL, `select`.`From` DESC, `select`.`order` LIMIT ?
-- binds string "paid", string "paid", string "x", string "x", bigint 10
-- answers order int, group string, From string, where int
