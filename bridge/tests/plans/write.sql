==== a new row, checked by the rule
-- sqlite
INSERT INTO "orders" ("id", "customerId", "owner") VALUES (?, ?, ?) RETURNING "id", "customerId", "status", "total", "placedAt", "owner", (("owner" COLLATE BINARY = ? OR "status" COLLATE BINARY = ?)) IS TRUE AS "stk_visible", json_extract('true', CASE WHEN "owner" COLLATE BINARY = ? THEN '$' ELSE 'stk_check' END) AS "stk_check"
    [a ULID, "c1", "app", "app", "open", "app"]
-- postgres
INSERT INTO "orders" ("id", "customerId", "owner") VALUES ($1, $2, $3) RETURNING "id", "customerId", "status", "total", "placedAt", "owner", (("owner" = $4 OR "status" = $5)) IS TRUE AS "stk_visible", CAST(CASE WHEN "owner" = $6 THEN 'true' ELSE 'stk_check' END AS boolean) AS "stk_check"
    [a ULID, "c1", "app", "app", "open", "app"]
-- mysql
INSERT INTO `orders` (`id`, `customerId`, `owner`) VALUES (?, ?, ?)
    [a ULID, "c1", "app"]

==== rows with different columns
-- sqlite
INSERT INTO "lines" ("id", "orderId", "sku", "quantity", "weight") VALUES (?, ?, ?, ?, ?) RETURNING "id"
    ["l1", "o", "a", 1, 0.5]
INSERT INTO "lines" ("id", "orderId", "sku", "quantity", "tags") VALUES (?, ?, ?, ?, ?) RETURNING "id"
    ["l2", "o", "b", 2, json ["x"]]
-- postgres
INSERT INTO "lines" ("id", "orderId", "sku", "quantity", "weight", "tags") VALUES ($1, $2, $3, $4, $5, DEFAULT), ($6, $7, $8, $9, DEFAULT, $10) RETURNING "id"
    ["l1", "o", "a", 1, 0.5, "l2", "o", "b", 2, json ["x"]]
-- mysql
INSERT INTO `lines` (`id`, `orderId`, `sku`, `quantity`, `weight`, `tags`) VALUES (?, ?, ?, ?, ?, DEFAULT), (?, ?, ?, ?, DEFAULT, ?)
    ["l1", "o", "a", 1, 0.5, "l2", "o", "b", 2, json ["x"]]

==== a key that the database counts
-- sqlite
INSERT INTO "counters" ("label") VALUES (?) RETURNING "id", "label", "isOn", "raw"
    ["x"]
-- postgres
INSERT INTO "counters" ("label") VALUES ($1) RETURNING "id", "label", "isOn", "raw"
    ["x"]
-- mysql
INSERT INTO `counters` (`label`) VALUES (?)
    ["x"]

==== a row that may be there already
-- sqlite
INSERT INTO "customers" ("id", "name") VALUES (?, ?) ON CONFLICT ("id") DO UPDATE SET "name" = excluded."name" RETURNING "id", "name", "email", "creditCents"
    ["c1", "P"]
-- postgres
INSERT INTO "customers" ("id", "name") VALUES ($1, $2) ON CONFLICT ("id") DO UPDATE SET "name" = excluded."name" RETURNING "id", "name", "email", "creditCents"
    ["c1", "P"]
-- mysql
SELECT CASE WHEN (`id` = ?) THEN ? END AS `stk_row`, `id`, TRUE AS `stk_check` FROM `customers` WHERE (`id` = ?) FOR UPDATE
    ["c1", 0, "c1"]

==== or may stay
-- sqlite
INSERT INTO "customers" ("id", "name") VALUES (?, ?) ON CONFLICT ("id") DO NOTHING RETURNING TRUE AS "stk_check"
    ["c1", "P"]
-- postgres
INSERT INTO "customers" ("id", "name") VALUES ($1, $2) ON CONFLICT ("id") DO NOTHING RETURNING TRUE AS "stk_check"
    ["c1", "P"]
-- mysql
SELECT CASE WHEN (`id` = ?) THEN ? END AS `stk_row`, `id`, TRUE AS `stk_check` FROM `customers` WHERE (`id` = ?) FOR UPDATE
    ["c1", 0, "c1"]

==== both rules stand beside what is asked
-- sqlite
UPDATE "orders" SET "status" = ? WHERE "total" COLLATE stk_decimal < ? AND (("owner" COLLATE BINARY = ? AND NOT ("status" COLLATE BINARY IS ?)) AND ("owner" COLLATE BINARY = ? OR "status" COLLATE BINARY = ?)) RETURNING (("owner" COLLATE BINARY = ? AND NOT ("status" COLLATE BINARY IS ?))) IS TRUE AS "stk_check"
    ["paid", decimal 5, "app", "sent", "app", "open", "app", "sent"]
-- postgres
UPDATE "orders" SET "status" = $1 WHERE "total" < $2 AND (("owner" = $3 AND NOT ("status" IS NOT DISTINCT FROM $4)) AND ("owner" = $5 OR "status" = $6)) RETURNING (("owner" = $7 AND NOT ("status" IS NOT DISTINCT FROM $8))) IS TRUE AS "stk_check"
    ["paid", decimal 5, "app", "sent", "app", "open", "app", "sent"]
-- mysql
SELECT `id` FROM `orders` WHERE `total` < ? AND (((`owner` = ? AND CAST(CONVERT(`owner` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) AND NOT ((`status` <=> ? AND CAST(CONVERT(`status` USING utf8mb4) AS BINARY) <=> CAST(? AS BINARY)))) AND ((`owner` = ? AND CAST(CONVERT(`owner` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) OR (`status` = ? AND CAST(CONVERT(`status` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)))) ORDER BY `id` LIMIT ? FOR UPDATE
    [decimal 5, "app", "app", "sent", "sent", "app", "app", "open", "open", 10001]

==== the rule of the write alone
-- sqlite
DELETE FROM "orders" WHERE ("owner" COLLATE BINARY = ? AND "status" COLLATE BINARY = ?)
    ["app", "open"]
-- postgres
DELETE FROM "orders" WHERE ("owner" = $1 AND "status" = $2)
    ["app", "open"]
-- mysql
DELETE FROM `orders` WHERE ((`owner` = ? AND CAST(CONVERT(`owner` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) AND (`status` = ? AND CAST(CONVERT(`status` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)))
    ["app", "app", "open", "open"]

==== removed rows are answered
-- sqlite
DELETE FROM "orders" WHERE "status" COLLATE BINARY = ? AND ((("owner" COLLATE BINARY = ? AND "status" COLLATE BINARY = ?) AND ("owner" COLLATE BINARY = ? OR "status" COLLATE BINARY = ?)) AND ("owner" COLLATE BINARY = ? OR "status" COLLATE BINARY = ?)) RETURNING "id"
    ["open", "app", "open", "app", "open", "app", "open"]
-- postgres
DELETE FROM "orders" WHERE "status" = $1 AND ((("owner" = $2 AND "status" = $3) AND ("owner" = $4 OR "status" = $5)) AND ("owner" = $6 OR "status" = $7)) RETURNING "id"
    ["open", "app", "open", "app", "open", "app", "open"]
-- mysql
SELECT `id` FROM `orders` WHERE (`status` = ? AND CAST(CONVERT(`status` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) AND ((((`owner` = ? AND CAST(CONVERT(`owner` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) AND (`status` = ? AND CAST(CONVERT(`status` USING utf8mb4) AS BINARY) = CAST(? AS BINARY))) AND ((`owner` = ? AND CAST(CONVERT(`owner` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) OR (`status` = ? AND CAST(CONVERT(`status` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)))) AND ((`owner` = ? AND CAST(CONVERT(`owner` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)) OR (`status` = ? AND CAST(CONVERT(`status` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)))) ORDER BY `id` LIMIT ? FOR UPDATE
    ["open", "open", "app", "app", "open", "open", "app", "app", "open", "open", "app", "app", "open", "open", 10001]

==== values that do not fit
{
  "code": "BAD_REQUEST",
  "message": "4 things are wrong with the request; see details.errors",
  "requestId": "req",
  "details": {
    "errors": [
      {
        "path": "data.more",
        "message": "there is no column \"more\""
      },
      {
        "path": "data.quantity",
        "message": "must be at most 100"
      },
      {
        "path": "data.weight",
        "message": "expected a number, found a string"
      },
      {
        "path": "data.tags",
        "message": "element 0: expected a string, found a list"
      }
    ]
  }
}

