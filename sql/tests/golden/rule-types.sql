-- booleans, bytes and times in a rule

-- sqlite
SELECT "id" FROM "orders" WHERE (("gift" OR NOT ("gift")) AND NOT ("gift" IS ?) AND "seal" = ? AND "placedAt" > ?) LIMIT ?
-- binds boolean true, bytes [97, 98, 99], timestamp 2026-01-01T00:00:00.000000Z, bigint 10
-- answers id string

-- postgres
SELECT "id" FROM "orders" WHERE (("gift" OR NOT ("gift")) AND NOT ("gift" IS NOT DISTINCT FROM $1) AND "seal" = $2 AND "placedAt" > $3) LIMIT $4
-- binds boolean true, bytes [97, 98, 99], timestamp 2026-01-01T00:00:00.000000Z, bigint 10
-- answers id string

-- mysql
SELECT `id` FROM `orders` WHERE ((`gift` OR NOT (`gift`)) AND NOT (`gift` <=> ?) AND `seal` = ? AND `placedAt` > ?) LIMIT ?
-- binds boolean true, bytes [97, 98, 99], timestamp 2026-01-01T00:00:00.000000Z, bigint 10
-- answers id string
