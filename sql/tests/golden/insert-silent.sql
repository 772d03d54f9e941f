-- rows of which nothing is answered

-- sqlite
-- affected
INSERT INTO "orders" ("id", "customerId", "status") VALUES (?, ?, ?), (?, ?, ?)
-- binds string "o1", string "c1", string "paid", string "o2", string "c2", string "open"

-- postgres
-- affected
INSERT INTO "orders" ("id", "customerId", "status") VALUES ($1, $2, $3), ($4, $5, $6)
-- binds string "o1", string "c1", string "paid", string "o2", string "c2", string "open"

-- mysql
-- affected
INSERT INTO `orders` (`id`, `customerId`, `status`) VALUES (?, ?, ?), (?, ?, ?)
-- binds string "o1", string "c1", string "paid", string "o2", string "c2", string "open"
