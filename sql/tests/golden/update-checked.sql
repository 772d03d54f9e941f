-- a rule that reads what is set is asked again of the changed row

-- sqlite
-- returning
UPDATE "orders" SET "owner" = ?, "status" = ? WHERE "id" COLLATE BINARY = ? AND ("owner" COLLATE BINARY = ? AND NOT ("status" COLLATE BINARY IS ?)) RETURNING "id", "owner", (("owner" COLLATE BINARY = ? AND NOT ("status" COLLATE BINARY IS ?))) IS TRUE AS "stk_check"
-- binds string "bob", string "paid", string "o1", string "ada", string "closed", string "ada", string "closed"
-- answers id string, owner string, stk_check boolean

-- postgres
-- returning
UPDATE "orders" SET "owner" = $1, "status" = $2 WHERE "id" = $3 AND ("owner" = $4 AND NOT ("status" IS NOT DISTINCT FROM $5)) RETURNING "id", "owner", (("owner" = $6 AND NOT ("status" IS NOT DISTINCT FROM $7))) IS TRUE AS "stk_check"
-- binds string "bob", string "paid", string "o1", string "ada", string "closed", string "ada", string "closed"
-- answers id string, owner string, stk_check boolean

-- mysql
-- lock
SELECT `id` FROM `orders` WHERE (`id` = ? AND CAST(CONVERT(`id` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) AND ((`owner` = ? AND CAST(CONVERT(`owner` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) AND NOT ((`status` <=> ? AND CAST(CONVERT(`status` USING utf8mb4) AS BINARY) <=> CAST(? AS BINARY)))) ORDER BY `id` LIMIT ? FOR UPDATE
-- binds string "o1", string "o1", string "ada", string "ada", string "closed", string "closed", bigint 1001
-- answers id string
-- by key
UPDATE `orders` SET `owner` = ?, `status` = ? WHERE `id` IN (?, ?, ?, ?) AND ((`owner` = ? AND CAST(CONVERT(`owner` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) AND NOT ((`status` <=> ? AND CAST(CONVERT(`status` USING utf8mb4) AS BINARY) <=> CAST(? AS BINARY))))
-- binds string "bob", string "paid", string "key1", string "key2", string "key3", string "key3", string "ada", string "ada", string "closed", string "closed"
-- check
SELECT count(*) AS `count` FROM `orders` WHERE `id` IN (?, ?, ?, ?) AND ((`owner` = ? AND CAST(CONVERT(`owner` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) AND NOT ((`status` <=> ? AND CAST(CONVERT(`status` USING utf8mb4) AS BINARY) <=> CAST(? AS BINARY))))
-- binds string "key1", string "key2", string "key3", string "key3", string "ada", string "ada", string "closed", string "closed"
-- answers count bigint
-- rows
SELECT `id`, `owner` FROM `orders` WHERE `id` IN (?, ?, ?, ?)
-- binds string "key1", string "key2", string "key3", string "key3"
-- answers id string, owner string
