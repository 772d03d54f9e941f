-- rows that a rule admits; nothing that it reads is set

-- sqlite
-- affected
UPDATE "orders" SET "status" = ?, "total" = ?, "note" = ? WHERE "status" COLLATE BINARY = ? AND "owner" COLLATE BINARY = ?
-- binds string "paid", decimal 9.99, string NULL, string "open", string "ada"

-- postgres
-- affected
UPDATE "orders" SET "status" = $1, "total" = $2, "note" = $3 WHERE "status" = $4 AND "owner" = $5
-- binds string "paid", decimal 9.99, string NULL, string "open", string "ada"

-- mysql
-- affected
UPDATE `orders` SET `status` = ?, `total` = ?, `note` = ? WHERE (`status` = ? AND CAST(CONVERT(`status` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) AND (`owner` = ? AND CAST(CONVERT(`owner` USING utf8mb4) AS BINARY) = CAST(? AS BINARY))
-- binds string "paid", decimal 9.99, string NULL, string "open", string "open", string "ada", string "ada"
