-- every operator on text

-- sqlite
SELECT "id" FROM "orders" WHERE (("status" COLLATE BINARY = ? AND "status" COLLATE BINARY <> ? AND "status" COLLATE BINARY > ? AND "status" COLLATE BINARY >= ? AND "status" COLLATE BINARY < ? AND "status" COLLATE BINARY <= ?) AND ("owner" COLLATE BINARY IN (?, ?, ?, ?) AND NOT ("owner" COLLATE BINARY IN (?))) AND ("note" GLOB ? AND "note" LIKE ? ESCAPE '!' AND instr("note", ?) > 0 AND "note" IS NOT NULL) AND "receipt" IS NULL) LIMIT ?
-- binds string "paid", string "x", string "a", string "b", string "z", string "y", string "ada", string "b", string "c", string "c", string "d", string "100%?x*", string "%Ab!!*%", string "50%_", bigint 10
-- answers id string

-- postgres
SELECT "id" FROM "orders" WHERE (("status" = $1 AND "status" <> $2 AND CAST("status" AS text) COLLATE "C" > $3 AND CAST("status" AS text) COLLATE "C" >= $4 AND CAST("status" AS text) COLLATE "C" < $5 AND CAST("status" AS text) COLLATE "C" <= $6) AND ("owner" IN ($7, $8, $9, $10) AND NOT ("owner" IN ($11))) AND (CAST("note" AS text) LIKE $12 ESCAPE '!' AND CAST("note" AS text) COLLATE "C" ILIKE $13 ESCAPE '!' AND strpos(CAST("note" AS text), $14) > 0 AND "note" IS NOT NULL) AND "receipt" IS NULL) LIMIT $15
-- binds string "paid", string "x", string "a", string "b", string "z", string "y", string "ada", string "b", string "c", string "c", string "d", string "100!%_x%", string "%Ab!!*%", string "50%_", bigint 10
-- answers id string

-- mysql
SELECT `id` FROM `orders` WHERE (((`status` = ? AND CAST(CONVERT(`status` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) AND CAST(CONVERT(`status` USING utf8mb4) AS BINARY) <> CAST(? AS BINARY) AND `status` > ? AND `status` >= ? AND `status` < ? AND `status` <= ?) AND ((`owner` IN (?, ?, ?, ?) AND CAST(CONVERT(`owner` USING utf8mb4) AS BINARY) IN (CAST(? AS BINARY), CAST(? AS BINARY), CAST(? AS BINARY), CAST(? AS BINARY))) AND NOT ((`owner` IN (?) AND CAST(CONVERT(`owner` USING utf8mb4) AS BINARY) IN (CAST(? AS BINARY))))) AND (CONVERT(`note` USING utf8mb4) COLLATE utf8mb4_bin LIKE ? ESCAPE '!' AND LOWER(CONVERT(`note` USING utf8mb4)) COLLATE utf8mb4_bin LIKE LOWER(?) ESCAPE '!' AND LOCATE(CAST(? AS BINARY), CAST(CONVERT(`note` USING utf8mb4) AS BINARY)) > 0 AND `note` IS NOT NULL) AND `receipt` IS NULL) LIMIT ?
-- binds string "paid", string "paid", string "x", string "a", string "b", string "z", string "y", string "ada", string "b", string "c", string "c", string "ada", string "b", string "c", string "c", string "d", string "d", string "100!%_x%", string "%Ab!!*%", string "50%_", bigint 10
-- answers id string
