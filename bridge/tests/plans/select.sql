==== nothing is asked, the rule is
-- sqlite
SELECT "id", "customerId", "status", "total", "placedAt", "owner" FROM "orders" WHERE ("owner" COLLATE BINARY = ? OR "status" COLLATE BINARY = ?) ORDER BY "id" COLLATE BINARY LIMIT ?
    ["app", "open", 101]
-- postgres
SELECT "id", "customerId", "status", "total", "placedAt", "owner" FROM "orders" WHERE ("owner" = $1 OR "status" = $2) ORDER BY CAST("id" AS text) COLLATE "C" LIMIT $3
    ["app", "open", 101]
-- mysql
SELECT `id`, `customerId`, `status`, `total`, `placedAt`, `owner` FROM `orders` WHERE ((`owner` = ? AND CAST(CONVERT(`owner` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) OR (`status` = ? AND CAST(CONVERT(`status` USING utf8mb4) AS BINARY) = CAST(? AS BINARY))) ORDER BY `id` LIMIT ?
    ["app", "app", "open", "open", 101]

==== the rule stands beside what is asked, in every table of a path
-- sqlite
SELECT "customers"."id" FROM "customers" WHERE (EXISTS (SELECT 1 FROM "orders" AS "stk_1" WHERE "stk_1"."customerId" = "customers"."id" AND ("stk_1"."owner" COLLATE BINARY = ? OR "stk_1"."status" COLLATE BINARY = ?) AND EXISTS (SELECT 1 FROM "lines" AS "stk_2" WHERE "stk_2"."orderId" = "stk_1"."id" AND "stk_2"."sku" COLLATE BINARY = ? LIMIT 1) LIMIT 1) AND ("customers"."name" GLOB ? OR "customers"."creditCents" >= ?)) ORDER BY "customers"."id" COLLATE BINARY LIMIT ?
    ["app", "open", "a", "P*", 5, 101]
-- postgres
SELECT "customers"."id" FROM "customers" WHERE (EXISTS (SELECT 1 FROM "orders" AS "stk_1" WHERE "stk_1"."customerId" = "customers"."id" AND ("stk_1"."owner" = $1 OR "stk_1"."status" = $2) AND EXISTS (SELECT 1 FROM "lines" AS "stk_2" WHERE "stk_2"."orderId" = "stk_1"."id" AND "stk_2"."sku" = $3)) AND (CAST("customers"."name" AS text) LIKE $4 ESCAPE '!' OR "customers"."creditCents" >= $5)) ORDER BY CAST("customers"."id" AS text) COLLATE "C" LIMIT $6
    ["app", "open", "a", "P%", 5, 101]
-- mysql
SELECT `customers`.`id` FROM `customers` WHERE (EXISTS (SELECT 1 FROM `orders` AS `stk_1` WHERE `stk_1`.`customerId` = `customers`.`id` AND ((`stk_1`.`owner` = ? AND CAST(CONVERT(`stk_1`.`owner` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) OR (`stk_1`.`status` = ? AND CAST(CONVERT(`stk_1`.`status` USING utf8mb4) AS BINARY) = CAST(? AS BINARY))) AND EXISTS (SELECT 1 FROM `lines` AS `stk_2` WHERE `stk_2`.`orderId` = `stk_1`.`id` AND (`stk_2`.`sku` = ? AND CAST(CONVERT(`stk_2`.`sku` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)))) AND (CONVERT(`customers`.`name` USING utf8mb4) COLLATE utf8mb4_bin LIKE ? ESCAPE '!' OR `customers`.`creditCents` >= ?)) ORDER BY `customers`.`id` LIMIT ?
    ["app", "app", "open", "open", "a", "a", "P%", 5, 101]

==== relations, each by one statement, each under its own rule
-- sqlite
SELECT count(*) AS "count" FROM "lines"
    []
SELECT "sku", "orderId", "id" FROM "lines" ORDER BY "id" COLLATE BINARY LIMIT ?
    [6]
SELECT "id", "customerId", "status", "total", "placedAt", "owner" FROM "orders" WHERE "id" IN (?) AND ("owner" COLLATE BINARY = ? OR "status" COLLATE BINARY = ?) LIMIT ?
    ["a key", "app", "open", 10001]
SELECT "id", "name", "email", "creditCents" FROM "customers" WHERE "id" IN (?) LIMIT ?
    ["a key", 10001]
-- postgres
SELECT count(*) AS "count" FROM "lines"
    []
SELECT "sku", "orderId", "id" FROM "lines" ORDER BY CAST("id" AS text) COLLATE "C" LIMIT $1
    [6]
SELECT "id", "customerId", "status", "total", "placedAt", "owner" FROM "orders" WHERE "id" IN ($1) AND ("owner" = $2 OR "status" = $3) LIMIT $4
    ["a key", "app", "open", 10001]
SELECT "id", "name", "email", "creditCents" FROM "customers" WHERE "id" IN ($1) LIMIT $2
    ["a key", 10001]
-- mysql
SELECT count(*) AS `count` FROM `lines`
    []
SELECT `sku`, `orderId`, `id` FROM `lines` ORDER BY `id` LIMIT ?
    [6]
SELECT `id`, `customerId`, `status`, `total`, `placedAt`, `owner` FROM `orders` WHERE `id` IN (?) AND ((`owner` = ? AND CAST(CONVERT(`owner` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) OR (`status` = ? AND CAST(CONVERT(`status` USING utf8mb4) AS BINARY) = CAST(? AS BINARY))) LIMIT ?
    ["a key", "app", "app", "open", "open", 10001]
SELECT `id`, `name`, `email`, `creditCents` FROM `customers` WHERE `id` IN (?) LIMIT ?
    ["a key", 10001]

==== an order, and the key behind it
-- sqlite
SELECT "id", "orderId", "sku", "quantity", "weight", "tags", "extra" FROM "lines" ORDER BY "quantity" DESC, "sku" COLLATE BINARY, "id" COLLATE BINARY LIMIT ? OFFSET ?
    [2, 10]
-- postgres
SELECT "id", "orderId", "sku", "quantity", "weight", "tags", "extra" FROM "lines" ORDER BY "quantity" DESC, CAST("sku" AS text) COLLATE "C", CAST("id" AS text) COLLATE "C" LIMIT $1 OFFSET $2
    [2, 10]
-- mysql
SELECT `id`, `orderId`, `sku`, `quantity`, `weight`, `tags`, `extra` FROM `lines` ORDER BY `quantity` DESC, `sku`, `id` LIMIT ? OFFSET ?
    [2, 10]

==== a unique column ends an order
-- sqlite
SELECT "id", "name", "email", "secretNote", "creditCents" FROM "customers" ORDER BY "id" COLLATE BINARY DESC LIMIT ?
    [101]
-- postgres
SELECT "id", "name", "email", "secretNote", "creditCents" FROM "customers" ORDER BY CAST("id" AS text) COLLATE "C" DESC LIMIT $1
    [101]
-- mysql
SELECT `id`, `name`, `email`, `secretNote`, `creditCents` FROM `customers` ORDER BY `id` DESC LIMIT ?
    [101]

==== a filter of every kind
-- sqlite
SELECT "id", "orderId", "sku", "quantity", "weight", "tags", "extra" FROM "lines" WHERE ((("quantity" >= ? AND "quantity" <= ?) AND NOT ("quantity" IN (?))) AND ("sku" LIKE ? ESCAPE '!' AND instr("sku", ?) > 0) AND "weight" IS NULL AND NOT ("tags" IS NOT NULL)) ORDER BY "id" COLLATE BINARY LIMIT ?
    [1, 3, 2, "a!_%", "%", 101]
-- postgres
SELECT "id", "orderId", "sku", "quantity", "weight", "tags", "extra" FROM "lines" WHERE ((("quantity" >= $1 AND "quantity" <= $2) AND NOT ("quantity" IN ($3))) AND (CAST("sku" AS text) COLLATE "C" ILIKE $4 ESCAPE '!' AND strpos(CAST("sku" AS text), $5) > 0) AND "weight" IS NULL AND NOT ("tags" IS NOT NULL)) ORDER BY CAST("id" AS text) COLLATE "C" LIMIT $6
    [1, 3, 2, "a!_%", "%", 101]
-- mysql
SELECT `id`, `orderId`, `sku`, `quantity`, `weight`, `tags`, `extra` FROM `lines` WHERE (((`quantity` >= ? AND `quantity` <= ?) AND NOT (`quantity` IN (?))) AND (LOWER(CONVERT(`sku` USING utf8mb4)) COLLATE utf8mb4_bin LIKE LOWER(?) ESCAPE '!' AND LOCATE(CAST(? AS BINARY), CAST(CONVERT(`sku` USING utf8mb4) AS BINARY)) > 0) AND `weight` IS NULL AND NOT (`tags` IS NOT NULL)) ORDER BY `id` LIMIT ?
    [1, 3, 2, "a!_%", "%", 101]

==== each value once
-- sqlite
SELECT count(*) AS "count" FROM (SELECT DISTINCT "status" COLLATE BINARY AS "status" FROM "orders" WHERE ("owner" COLLATE BINARY = ? OR "status" COLLATE BINARY = ?)) AS "stk_distinct"
    ["app", "open"]
SELECT "status" FROM (SELECT DISTINCT "status" COLLATE BINARY AS "status" FROM "orders" WHERE ("owner" COLLATE BINARY = ? OR "status" COLLATE BINARY = ?)) AS "stk_distinct" LIMIT ?
    ["app", "open", 101]
-- postgres
SELECT count(*) AS "count" FROM (SELECT DISTINCT "status" FROM "orders" WHERE ("owner" = $1 OR "status" = $2)) AS "stk_distinct"
    ["app", "open"]
SELECT "status" FROM (SELECT DISTINCT "status" FROM "orders" WHERE ("owner" = $1 OR "status" = $2)) AS "stk_distinct" LIMIT $3
    ["app", "open", 101]
-- mysql
SELECT count(*) AS `count` FROM (SELECT DISTINCT `status` FROM `orders` WHERE ((`owner` = ? AND CAST(CONVERT(`owner` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) OR (`status` = ? AND CAST(CONVERT(`status` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)))) AS `stk_distinct`
    ["app", "app", "open", "open"]
SELECT `status` FROM (SELECT DISTINCT `status` FROM `orders` WHERE ((`owner` = ? AND CAST(CONVERT(`owner` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) OR (`status` = ? AND CAST(CONVERT(`status` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)))) AS `stk_distinct` LIMIT ?
    ["app", "app", "open", "open", 101]

==== numbers about groups
-- sqlite
SELECT "status", count(*) AS "stk_1", sum(CASE WHEN "total" LIKE '-%' THEN -1 ELSE 1 END * CAST(substr(substr('000000000000000000000000000000000000' || substr(ltrim("total", '-') || '.', 1, instr(ltrim("total", '-') || '.', '.') - 1), -36), 1, 9) AS INTEGER)) AS "stk_2", sum(CASE WHEN "total" LIKE '-%' THEN -1 ELSE 1 END * CAST(substr(substr('000000000000000000000000000000000000' || substr(ltrim("total", '-') || '.', 1, instr(ltrim("total", '-') || '.', '.') - 1), -36), 10, 9) AS INTEGER)) AS "stk_3", sum(CASE WHEN "total" LIKE '-%' THEN -1 ELSE 1 END * CAST(substr(substr('000000000000000000000000000000000000' || substr(ltrim("total", '-') || '.', 1, instr(ltrim("total", '-') || '.', '.') - 1), -36), 19, 9) AS INTEGER)) AS "stk_4", sum(CASE WHEN "total" LIKE '-%' THEN -1 ELSE 1 END * CAST(substr(substr('000000000000000000000000000000000000' || substr(ltrim("total", '-') || '.', 1, instr(ltrim("total", '-') || '.', '.') - 1), -36), 28, 9) AS INTEGER)) AS "stk_5", sum(CASE WHEN "total" LIKE '-%' THEN -1 ELSE 1 END * CAST(substr(replace(substr(ltrim("total", '-') || '.', instr(ltrim("total", '-') || '.', '.') + 1), '.', '') || '000000000000000000000000000000000000', 1, 9) AS INTEGER)) AS "stk_6", sum(CASE WHEN "total" LIKE '-%' THEN -1 ELSE 1 END * CAST(substr(replace(substr(ltrim("total", '-') || '.', instr(ltrim("total", '-') || '.', '.') + 1), '.', '') || '000000000000000000000000000000000000', 10, 9) AS INTEGER)) AS "stk_7", sum(CASE WHEN "total" LIKE '-%' THEN -1 ELSE 1 END * CAST(substr(replace(substr(ltrim("total", '-') || '.', instr(ltrim("total", '-') || '.', '.') + 1), '.', '') || '000000000000000000000000000000000000', 19, 9) AS INTEGER)) AS "stk_8", sum(CASE WHEN "total" LIKE '-%' THEN -1 ELSE 1 END * CAST(substr(replace(substr(ltrim("total", '-') || '.', instr(ltrim("total", '-') || '.', '.') + 1), '.', '') || '000000000000000000000000000000000000', 28, 9) AS INTEGER)) AS "stk_9", sum(CASE WHEN "total" LIKE '-%' THEN -1 ELSE 1 END * CAST(substr(substr('000000000000000000000000000000000000' || substr(ltrim("total", '-') || '.', 1, instr(ltrim("total", '-') || '.', '.') - 1), -36), 1, 9) AS INTEGER)) AS "stk_10", sum(CASE WHEN "total" LIKE '-%' THEN -1 ELSE 1 END * CAST(substr(substr('000000000000000000000000000000000000' || substr(ltrim("total", '-') || '.', 1, instr(ltrim("total", '-') || '.', '.') - 1), -36), 10, 9) AS INTEGER)) AS "stk_11", sum(CASE WHEN "total" LIKE '-%' THEN -1 ELSE 1 END * CAST(substr(substr('000000000000000000000000000000000000' || substr(ltrim("total", '-') || '.', 1, instr(ltrim("total", '-') || '.', '.') - 1), -36), 19, 9) AS INTEGER)) AS "stk_12", sum(CASE WHEN "total" LIKE '-%' THEN -1 ELSE 1 END * CAST(substr(substr('000000000000000000000000000000000000' || substr(ltrim("total", '-') || '.', 1, instr(ltrim("total", '-') || '.', '.') - 1), -36), 28, 9) AS INTEGER)) AS "stk_13", sum(CASE WHEN "total" LIKE '-%' THEN -1 ELSE 1 END * CAST(substr(replace(substr(ltrim("total", '-') || '.', instr(ltrim("total", '-') || '.', '.') + 1), '.', '') || '000000000000000000000000000000000000', 1, 9) AS INTEGER)) AS "stk_14", sum(CASE WHEN "total" LIKE '-%' THEN -1 ELSE 1 END * CAST(substr(replace(substr(ltrim("total", '-') || '.', instr(ltrim("total", '-') || '.', '.') + 1), '.', '') || '000000000000000000000000000000000000', 10, 9) AS INTEGER)) AS "stk_15", sum(CASE WHEN "total" LIKE '-%' THEN -1 ELSE 1 END * CAST(substr(replace(substr(ltrim("total", '-') || '.', instr(ltrim("total", '-') || '.', '.') + 1), '.', '') || '000000000000000000000000000000000000', 19, 9) AS INTEGER)) AS "stk_16", sum(CASE WHEN "total" LIKE '-%' THEN -1 ELSE 1 END * CAST(substr(replace(substr(ltrim("total", '-') || '.', instr(ltrim("total", '-') || '.', '.') + 1), '.', '') || '000000000000000000000000000000000000', 28, 9) AS INTEGER)) AS "stk_17", count("total") AS "stk_18", max("placedAt") AS "stk_19" FROM "orders" WHERE ("owner" COLLATE BINARY = ? OR "status" COLLATE BINARY = ?) GROUP BY "status" COLLATE BINARY ORDER BY "status" COLLATE BINARY LIMIT ?
    ["app", "open", 101]
-- postgres
SELECT "status", count(*) AS "stk_1", sum("total") AS "stk_2", sum("total") AS "stk_3", count("total") AS "stk_4", max("placedAt") AS "stk_5" FROM "orders" WHERE ("owner" = $1 OR "status" = $2) GROUP BY "status" ORDER BY CAST("status" AS text) COLLATE "C" LIMIT $3
    ["app", "open", 101]
-- mysql
SELECT `status`, count(*) AS `stk_1`, sum(`total`) AS `stk_2`, sum(`total`) AS `stk_3`, count(`total`) AS `stk_4`, max(`placedAt`) AS `stk_5` FROM `orders` WHERE ((`owner` = ? AND CAST(CONVERT(`owner` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) OR (`status` = ? AND CAST(CONVERT(`status` USING utf8mb4) AS BINARY) = CAST(? AS BINARY))) GROUP BY `status` ORDER BY CAST(CONVERT(`status` USING utf8mb4) AS BINARY) LIMIT ?
    ["app", "app", "open", "open", 101]

==== all that is wrong at once
{
  "code": "BAD_REQUEST",
  "message": "6 things are wrong with the request; see details.errors",
  "requestId": "req",
  "details": {
    "errors": [
      {
        "path": "more",
        "message": "there is no param \"more\""
      },
      {
        "path": "where.nme",
        "message": "there is no column or relation \"nme\"",
        "hint": "did you mean \"name\"?"
      },
      {
        "path": "where.id.$foo",
        "message": "there is no operator \"$foo\""
      },
      {
        "path": "select.0",
        "message": "there is no column \"email\""
      },
      {
        "path": "orderBy.id",
        "message": "must be \"asc\" or \"desc\""
      },
      {
        "path": "limit",
        "message": "must be a whole number, not negative"
      }
    ]
  }
}

==== a key is told
{
  "code": "FORBIDDEN",
  "message": "where.secretNote: the rule does not give the column \"secretNote\"",
  "requestId": "req",
  "details": {
    "errors": [
      {
        "path": "where.secretNote",
        "message": "the rule does not give the column \"secretNote\""
      }
    ]
  }
}

==== no table
{
  "code": "UNAUTHORIZED",
  "message": "this needs a credential",
  "requestId": "req"
}

