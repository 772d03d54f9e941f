-- groups in an order

-- sqlite
SELECT "status", "total", count(*) AS "stk_2", sum("points" / 1000000000) AS "stk_3", sum("points" % 1000000000) AS "stk_4" FROM "orders" WHERE "gift" = ? GROUP BY "status" COLLATE BINARY, "total" COLLATE stk_decimal ORDER BY "status" COLLATE BINARY DESC, "total" COLLATE stk_decimal NULLS LAST LIMIT ? OFFSET ?
-- binds boolean true, bigint 11, bigint 10
-- answers status string, total decimal, stk_2 bigint, stk_3 bigint, stk_4 bigint

-- postgres
SELECT "status", "total", count(*) AS "stk_2", sum("points") AS "stk_3" FROM "orders" WHERE "gift" = $1 GROUP BY "status", "total" ORDER BY CAST("status" AS text) COLLATE "C" DESC, "total" NULLS LAST LIMIT $2 OFFSET $3
-- binds boolean true, bigint 11, bigint 10
-- answers status string, total decimal, stk_2 bigint, stk_3 decimal

-- mysql
SELECT `status`, `total`, count(*) AS `stk_2`, sum(`points`) AS `stk_3` FROM `orders` WHERE `gift` = ? GROUP BY `status`, `total` ORDER BY `status` DESC, `total` IS NULL, `total` LIMIT ? OFFSET ?
-- binds boolean true, bigint 11, bigint 10
-- answers status string, total decimal, stk_2 bigint, stk_3 decimal
