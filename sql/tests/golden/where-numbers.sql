-- order of numbers and times

-- sqlite
SELECT "id" FROM "orders" WHERE (("total" COLLATE stk_decimal >= ? AND "total" COLLATE stk_decimal < ?) AND ("quantity" >= ? AND "quantity" <= ?) AND "points" > ? AND "weight" <= ? AND ("placedAt" >= ? AND "placedAt" <= ?) AND "seal" < ?) LIMIT ?
-- binds decimal 10, decimal 1000.5, int 1, int 5, bigint 10, float 0.5, timestamp 2026-01-01T00:00:00.000000Z, timestamp 2026-02-01T00:00:00.000000Z, bytes [97], bigint 10
-- answers id string

-- postgres
SELECT "id" FROM "orders" WHERE (("total" >= $1 AND "total" < $2) AND ("quantity" >= $3 AND "quantity" <= $4) AND "points" > $5 AND "weight" <= $6 AND ("placedAt" >= $7 AND "placedAt" <= $8) AND "seal" < $9) LIMIT $10
-- binds decimal 10, decimal 1000.5, int 1, int 5, bigint 10, float 0.5, timestamp 2026-01-01T00:00:00.000000Z, timestamp 2026-02-01T00:00:00.000000Z, bytes [97], bigint 10
-- answers id string

-- mysql
SELECT `id` FROM `orders` WHERE ((`total` >= ? AND `total` < ?) AND (`quantity` >= ? AND `quantity` <= ?) AND `points` > ? AND `weight` <= ? AND (`placedAt` >= ? AND `placedAt` <= ?) AND `seal` < ?) LIMIT ?
-- binds decimal 10, decimal 1000.5, int 1, int 5, bigint 10, float 0.5, timestamp 2026-01-01T00:00:00.000000Z, timestamp 2026-02-01T00:00:00.000000Z, bytes [97], bigint 10
-- answers id string
