-- each combination once, in an order

-- sqlite
SELECT "status", "total" FROM (SELECT DISTINCT "status" COLLATE BINARY AS "status", "total" COLLATE stk_decimal AS "total" FROM "orders" WHERE "gift" = ?) AS "stk_distinct" ORDER BY "status" COLLATE BINARY, "total" COLLATE stk_decimal DESC NULLS LAST LIMIT ?
-- binds boolean true, bigint 10
-- answers status string, total decimal

-- postgres
SELECT "status", "total" FROM (SELECT DISTINCT "status", "total" FROM "orders" WHERE "gift" = $1) AS "stk_distinct" ORDER BY CAST("status" AS text) COLLATE "C", "total" DESC NULLS LAST LIMIT $2
-- binds boolean true, bigint 10
-- answers status string, total decimal

-- mysql
SELECT `status`, `total` FROM (SELECT DISTINCT `status`, `total` FROM `orders` WHERE `gift` = ?) AS `stk_distinct` ORDER BY `status`, `total` IS NULL, `total` DESC LIMIT ?
-- binds boolean true, bigint 10
-- answers status string, total decimal
