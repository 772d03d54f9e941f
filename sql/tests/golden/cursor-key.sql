-- behind a key

-- sqlite
SELECT "id" FROM "orders" WHERE (("id" COLLATE BINARY > ?)) ORDER BY "id" COLLATE BINARY LIMIT ?
-- binds string "o9", bigint 51
-- answers id string

-- postgres
SELECT "id" FROM "orders" WHERE ((CAST("id" AS text) COLLATE "C" > $1)) ORDER BY CAST("id" AS text) COLLATE "C" LIMIT $2
-- binds string "o9", bigint 51
-- answers id string

-- mysql
SELECT `id` FROM `orders` WHERE ((`id` > ?)) ORDER BY `id` LIMIT ?
-- binds string "o9", bigint 51
-- answers id string
