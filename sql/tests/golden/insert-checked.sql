-- a rule for the new row

-- sqlite
-- returning
INSERT INTO "orders" ("id", "customerId", "status", "owner") VALUES (?, ?, ?, ?), (?, ?, ?, ?) RETURNING "id", (("owner" COLLATE BINARY = ? AND NOT (("status" IS NOT NULL AND "status" COLLATE BINARY IN (?))))) IS TRUE AS "stk_check"
-- binds string "o1", string "c1", string "paid", string "ada", string "o2", string "c2", string "open", string "bob", string "ada", string "closed"
-- answers id string, stk_check boolean

-- postgres
-- returning
INSERT INTO "orders" ("id", "customerId", "status", "owner") VALUES ($1, $2, $3, $4), ($5, $6, $7, $8) RETURNING "id", (("owner" = $9 AND NOT (("status" IS NOT NULL AND "status" IN ($10))))) IS TRUE AS "stk_check"
-- binds string "o1", string "c1", string "paid", string "ada", string "o2", string "c2", string "open", string "bob", string "ada", string "closed"
-- answers id string, stk_check boolean

-- mysql
-- by key
INSERT INTO `orders` (`id`, `customerId`, `status`, `owner`) VALUES (?, ?, ?, ?), (?, ?, ?, ?)
-- binds string "o1", string "c1", string "paid", string "ada", string "o2", string "c2", string "open", string "bob"
-- check
SELECT count(*) AS `count` FROM `orders` WHERE `id` IN (?, ?, ?, ?) AND ((`owner` = ? AND CAST(CONVERT(`owner` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) AND NOT ((`status` IS NOT NULL AND `status` IN (?) AND CAST(CONVERT(`status` USING utf8mb4) AS BINARY) IN (CAST(? AS BINARY)))))
-- binds string "key1", string "key2", string "key3", string "key3", string "ada", string "ada", string "closed", string "closed"
-- answers count bigint
-- rows
SELECT `id` FROM `orders` WHERE `id` IN (?, ?, ?, ?)
-- binds string "key1", string "key2", string "key3", string "key3"
-- answers id string
