-- a row, answered

-- sqlite
-- returning
INSERT INTO "orders" ("id", "customerId", "status", "total", "placedAt", "meta", "gift", "note") VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING "id", "status", "total"
-- binds string "o1", string "c1", string "paid", decimal 12.50, timestamp 2026-01-31T12:00:00.000000Z, json {"a":1}, boolean true, string NULL
-- answers id string, status string, total decimal

-- postgres
-- returning
INSERT INTO "orders" ("id", "customerId", "status", "total", "placedAt", "meta", "gift", "note") VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING "id", "status", "total"
-- binds string "o1", string "c1", string "paid", decimal 12.50, timestamp 2026-01-31T12:00:00.000000Z, json {"a":1}, boolean true, string NULL
-- answers id string, status string, total decimal

-- mysql
-- by key
INSERT INTO `orders` (`id`, `customerId`, `status`, `total`, `placedAt`, `meta`, `gift`, `note`) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
-- binds string "o1", string "c1", string "paid", decimal 12.50, timestamp 2026-01-31T12:00:00.000000Z, json {"a":1}, boolean true, string NULL
-- rows
SELECT `id`, `status`, `total` FROM `orders` WHERE `id` IN (?, ?, ?, ?)
-- binds string "key1", string "key2", string "key3", string "key3"
-- answers id string, status string, total decimal
