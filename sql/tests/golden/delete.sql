-- rows that a rule admits

-- sqlite
-- affected
DELETE FROM "orders" WHERE "status" COLLATE BINARY = ? AND "owner" COLLATE BINARY = ?
-- binds string "open", string "ada"

-- postgres
-- affected
DELETE FROM "orders" WHERE "status" = $1 AND "owner" = $2
-- binds string "open", string "ada"

-- mysql
-- affected
DELETE FROM `orders` WHERE (`status` = ? AND CAST(CONVERT(`status` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) AND (`owner` = ? AND CAST(CONVERT(`owner` USING utf8mb4) AS BINARY) = CAST(? AS BINARY))
-- binds string "open", string "open", string "ada", string "ada"
