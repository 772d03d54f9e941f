-- changed rows, answered

-- sqlite
-- returning
UPDATE "orders" SET "quantity" = ?, "meta" = ? WHERE "id" COLLATE BINARY = ? AND "owner" COLLATE BINARY = ? RETURNING "id", "quantity", "meta"
-- binds int 4, json {"b":[]}, string "o1", string "ada"
-- answers id string, quantity int, meta json

-- postgres
-- returning
UPDATE "orders" SET "quantity" = $1, "meta" = $2 WHERE "id" = $3 AND "owner" = $4 RETURNING "id", "quantity", "meta"
-- binds int 4, json {"b":[]}, string "o1", string "ada"
-- answers id string, quantity int, meta json

-- mysql
-- lock
SELECT `id` FROM `orders` WHERE (`id` = ? AND CAST(CONVERT(`id` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) AND (`owner` = ? AND CAST(CONVERT(`owner` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) ORDER BY `id` LIMIT ? FOR UPDATE
-- binds string "o1", string "o1", string "ada", string "ada", bigint 1001
-- answers id string
-- by key
UPDATE `orders` SET `quantity` = ?, `meta` = ? WHERE `id` IN (?, ?, ?, ?) AND (`owner` = ? AND CAST(CONVERT(`owner` USING utf8mb4) AS BINARY) = CAST(? AS BINARY))
-- binds int 4, json {"b":[]}, string "key1", string "key2", string "key3", string "key3", string "ada", string "ada"
-- rows
SELECT `id`, `quantity`, `meta` FROM `orders` WHERE `id` IN (?, ?, ?, ?)
-- binds string "key1", string "key2", string "key3", string "key3"
-- answers id string, quantity int, meta json
