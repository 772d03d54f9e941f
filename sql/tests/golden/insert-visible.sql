-- a row that must satisfy one rule and is answered where it satisfies another

-- sqlite
-- returning
INSERT INTO "orders" ("id", "customerId", "owner") VALUES (?, ?, ?) RETURNING "id", "owner", ("owner" COLLATE BINARY = ?) IS TRUE AS "stk_visible", json_extract('true', CASE WHEN "owner" COLLATE BINARY = ? THEN '$' ELSE 'stk_check' END) AS "stk_check"
-- binds string "o1", string "c1", string "ada", string "ada", string "ada"
-- answers id string, owner string, stk_visible boolean, stk_check boolean

-- postgres
-- returning
INSERT INTO "orders" ("id", "customerId", "owner") VALUES ($1, $2, $3) RETURNING "id", "owner", ("owner" = $4) IS TRUE AS "stk_visible", CAST(CASE WHEN "owner" = $5 THEN 'true' ELSE 'stk_check' END AS boolean) AS "stk_check"
-- binds string "o1", string "c1", string "ada", string "ada", string "ada"
-- answers id string, owner string, stk_visible boolean, stk_check boolean

-- mysql
-- by key
INSERT INTO `orders` (`id`, `customerId`, `owner`) VALUES (?, ?, ?)
-- binds string "o1", string "c1", string "ada"
-- check
SELECT count(*) AS `count` FROM `orders` WHERE `id` IN (?, ?, ?, ?) AND (`owner` = ? AND CAST(CONVERT(`owner` USING utf8mb4) AS BINARY) = CAST(? AS BINARY))
-- binds string "key1", string "key2", string "key3", string "key3", string "ada", string "ada"
-- answers count bigint
-- rows
SELECT `id`, `owner` FROM `orders` WHERE `id` IN (?, ?, ?, ?)
-- binds string "key1", string "key2", string "key3", string "key3"
-- answers id string, owner string
