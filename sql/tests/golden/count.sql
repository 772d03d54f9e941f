-- how many rows

-- sqlite
SELECT count(*) AS "count" FROM "orders" WHERE "status" COLLATE BINARY = ? AND "owner" COLLATE BINARY = ?
-- binds string "paid", string "ada"
-- answers count bigint

-- postgres
SELECT count(*) AS "count" FROM "orders" WHERE "status" = $1 AND "owner" = $2
-- binds string "paid", string "ada"
-- answers count bigint

-- mysql
SELECT count(*) AS `count` FROM `orders` WHERE (`status` = ? AND CAST(CONVERT(`status` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) AND (`owner` = ? AND CAST(CONVERT(`owner` USING utf8mb4) AS BINARY) = CAST(? AS BINARY))
-- binds string "paid", string "paid", string "ada", string "ada"
-- answers count bigint
