-- cells that the database fills, where only some rows leave them out

-- sqlite
-- returning
INSERT INTO "items" ("orderId", "sku", "price") VALUES (?, ?, ?), (?, ?, ?) RETURNING "id", "sku"
-- binds string "o1", string "a", decimal 1, string "o1", string "b", decimal 2
-- answers id bigint, sku string
-- returning
INSERT INTO "items" ("orderId", "sku", "price", "count") VALUES (?, ?, ?, ?) RETURNING "id", "sku"
-- binds string "o1", string "c", decimal 3, int 7
-- answers id bigint, sku string
-- returning
INSERT INTO "items" ("orderId", "sku", "price") VALUES (?, ?, ?) RETURNING "id", "sku"
-- binds string "o1", string "d", decimal 4
-- answers id bigint, sku string

-- postgres
-- returning
INSERT INTO "items" ("orderId", "sku", "price", "count") VALUES ($1, $2, $3, DEFAULT), ($4, $5, $6, DEFAULT), ($7, $8, $9, $10), ($11, $12, $13, DEFAULT) RETURNING "id", "sku"
-- binds string "o1", string "a", decimal 1, string "o1", string "b", decimal 2, string "o1", string "c", decimal 3, int 7, string "o1", string "d", decimal 4
-- answers id bigint, sku string

-- mysql
-- by key
INSERT INTO `items` (`orderId`, `sku`, `price`, `count`) VALUES (?, ?, ?, DEFAULT)
-- binds string "o1", string "a", decimal 1
-- by key
INSERT INTO `items` (`orderId`, `sku`, `price`, `count`) VALUES (?, ?, ?, DEFAULT)
-- binds string "o1", string "b", decimal 2
-- by key
INSERT INTO `items` (`orderId`, `sku`, `price`, `count`) VALUES (?, ?, ?, ?)
-- binds string "o1", string "c", decimal 3, int 7
-- by key
INSERT INTO `items` (`orderId`, `sku`, `price`, `count`) VALUES (?, ?, ?, DEFAULT)
-- binds string "o1", string "d", decimal 4
-- rows
SELECT `id`, `sku` FROM `items` WHERE `id` IN (?, ?, ?, ?)
-- binds bigint 1, bigint 2, bigint 3, bigint 3
-- answers id bigint, sku string
