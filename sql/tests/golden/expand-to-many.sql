-- one level of a relation to many

-- sqlite
SELECT "id", "orderId", "sku" FROM "items" WHERE "orderId" IN (?, ?, ?, ?, ?, ?, ?, ?) AND "price" COLLATE stk_decimal > ? ORDER BY "id" LIMIT ?
-- binds string "a", string "b", string "c", string "d", string "e", string "e", string "e", string "e", decimal 1, bigint 10001
-- answers id bigint, orderId string, sku string

-- postgres
SELECT "id", "orderId", "sku" FROM "items" WHERE "orderId" IN ($1, $2, $3, $4, $5, $6, $7, $8) AND "price" > $9 ORDER BY "id" LIMIT $10
-- binds string "a", string "b", string "c", string "d", string "e", string "e", string "e", string "e", decimal 1, bigint 10001
-- answers id bigint, orderId string, sku string

-- mysql
SELECT `id`, `orderId`, `sku` FROM `items` WHERE `orderId` IN (?, ?, ?, ?, ?, ?, ?, ?) AND `price` > ? ORDER BY `id` LIMIT ?
-- binds string "a", string "b", string "c", string "d", string "e", string "e", string "e", string "e", decimal 1, bigint 10001
-- answers id bigint, orderId string, sku string
