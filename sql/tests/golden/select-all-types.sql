-- every type

-- sqlite
SELECT "id", "status", "total", "quantity", "points", "weight", "gift", "placedAt", "seal", "meta", "tags", "receipt" FROM "orders" LIMIT ?
-- binds bigint 100
-- answers id string, status string, total decimal, quantity int, points bigint, weight float, gift boolean, placedAt timestamp, seal bytes, meta json, tags array, receipt file

-- postgres
SELECT "id", "status", "total", "quantity", "points", "weight", "gift", "placedAt", "seal", "meta", "tags", "receipt" FROM "orders" LIMIT $1
-- binds bigint 100
-- answers id string, status string, total decimal, quantity int, points bigint, weight float, gift boolean, placedAt timestamp, seal bytes, meta json, tags array, receipt file

-- mysql
SELECT `id`, `status`, `total`, `quantity`, `points`, `weight`, `gift`, `placedAt`, `seal`, `meta`, `tags`, `receipt` FROM `orders` LIMIT ?
-- binds bigint 100
-- answers id string, status string, total decimal, quantity int, points bigint, weight float, gift boolean, placedAt timestamp, seal bytes, meta json, tags array, receipt file
