-- removed rows, answered

-- sqlite
-- returning
DELETE FROM "items" WHERE "sku" GLOB ? RETURNING "id", "sku"
-- binds string "A*"
-- answers id bigint, sku string

-- postgres
-- returning
DELETE FROM "items" WHERE CAST("sku" AS text) LIKE $1 ESCAPE '!' RETURNING "id", "sku"
-- binds string "A%"
-- answers id bigint, sku string

-- mysql
-- lock
SELECT `id` FROM `items` WHERE CONVERT(`sku` USING utf8mb4) COLLATE utf8mb4_bin LIKE ? ESCAPE '!' ORDER BY `id` LIMIT ? FOR UPDATE
-- binds string "A%", bigint 1001
-- answers id bigint
-- rows
SELECT `id`, `sku` FROM `items` WHERE `id` IN (?, ?, ?, ?)
-- binds bigint 1, bigint 2, bigint 3, bigint 3
-- answers id bigint, sku string
-- by key
DELETE FROM `items` WHERE `id` IN (?, ?, ?, ?)
-- binds bigint 1, bigint 2, bigint 3, bigint 3
