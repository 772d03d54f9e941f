-- the same, and nothing is answered

-- sqlite
-- returning
UPDATE "orders" SET "owner" = ? WHERE "owner" COLLATE BINARY = ? RETURNING ("owner" COLLATE BINARY = ?) IS TRUE AS "stk_check"
-- binds string "ada", string "ada", string "ada"
-- answers stk_check boolean

-- postgres
-- returning
UPDATE "orders" SET "owner" = $1 WHERE "owner" = $2 RETURNING ("owner" = $3) IS TRUE AS "stk_check"
-- binds string "ada", string "ada", string "ada"
-- answers stk_check boolean

-- mysql
-- lock
SELECT `id` FROM `orders` WHERE (`owner` = ? AND CAST(CONVERT(`owner` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) ORDER BY `id` LIMIT ? FOR UPDATE
-- binds string "ada", string "ada", bigint 1001
-- answers id string
-- by key
UPDATE `orders` SET `owner` = ? WHERE `id` IN (?, ?, ?, ?) AND (`owner` = ? AND CAST(CONVERT(`owner` USING utf8mb4) AS BINARY) = CAST(? AS BINARY))
-- binds string "ada", string "key1", string "key2", string "key3", string "key3", string "ada", string "ada"
-- check
SELECT count(*) AS `count` FROM `orders` WHERE `id` IN (?, ?, ?, ?) AND (`owner` = ? AND CAST(CONVERT(`owner` USING utf8mb4) AS BINARY) = CAST(? AS BINARY))
-- binds string "key1", string "key2", string "key3", string "key3", string "ada", string "ada"
-- answers count bigint
