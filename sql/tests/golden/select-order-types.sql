-- order by each type that has one; NULL is last in both directions

-- sqlite
SELECT "id" FROM "orders" ORDER BY "status" COLLATE BINARY, "total" COLLATE stk_decimal DESC NULLS LAST, "quantity" NULLS LAST, "points" DESC NULLS LAST, "weight" NULLS LAST, "gift" NULLS LAST, "placedAt" DESC NULLS LAST, "seal" NULLS LAST, "receipt" COLLATE BINARY DESC NULLS LAST, "id" COLLATE BINARY LIMIT ?
-- binds bigint 10
-- answers id string

-- postgres
SELECT "id" FROM "orders" ORDER BY CAST("status" AS text) COLLATE "C", "total" DESC NULLS LAST, "quantity" NULLS LAST, "points" DESC NULLS LAST, "weight" NULLS LAST, "gift" NULLS LAST, "placedAt" DESC NULLS LAST, "seal" NULLS LAST, CAST("receipt" AS text) COLLATE "C" DESC NULLS LAST, CAST("id" AS text) COLLATE "C" LIMIT $1
-- binds bigint 10
-- answers id string

-- mysql
SELECT `id` FROM `orders` ORDER BY `status`, `total` IS NULL, `total` DESC, `quantity` IS NULL, `quantity`, `points` IS NULL, `points` DESC, `weight` IS NULL, `weight`, `gift` IS NULL, `gift`, `placedAt` IS NULL, `placedAt` DESC, `seal` IS NULL, `seal`, `receipt` IS NULL, `receipt` DESC, `id` LIMIT ?
-- binds bigint 10
-- answers id string
