-- behind a position that is NULL

-- sqlite
SELECT "id" FROM "orders" WHERE (("note" IS NULL AND "id" COLLATE BINARY > ?)) ORDER BY "note" COLLATE BINARY NULLS LAST, "id" COLLATE BINARY LIMIT ?
-- binds string "o9", bigint 51
-- answers id string

-- postgres
SELECT "id" FROM "orders" WHERE (("note" IS NULL AND CAST("id" AS text) COLLATE "C" > $1)) ORDER BY CAST("note" AS text) COLLATE "C" NULLS LAST, CAST("id" AS text) COLLATE "C" LIMIT $2
-- binds string "o9", bigint 51
-- answers id string

-- mysql
SELECT `id` FROM `orders` WHERE ((`note` IS NULL AND `id` > ?)) ORDER BY `note` IS NULL, `note`, `id` LIMIT ?
-- binds string "o9", bigint 51
-- answers id string
