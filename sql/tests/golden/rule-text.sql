-- tests of text in a rule

-- sqlite
SELECT "id" FROM "orders" WHERE (substr("owner", 1, length(?)) COLLATE BINARY = ? AND substr("status", length("status") - length(?) + 1) COLLATE BINARY = ? AND instr("note", ?) > 0 AND NOT (substr("owner", 1, length("status")) COLLATE BINARY = "status") AND instr(?, "status") > 0) LIMIT ?
-- binds string "ada", string "ada", string "paid", string "paid", string "50%", string "paid,open", bigint 10
-- answers id string

-- postgres
SELECT "id" FROM "orders" WHERE (starts_with(CAST("owner" AS text), $1) AND right(CAST("status" AS text), length($2)) = $3 AND strpos(CAST("note" AS text), $4) > 0 AND NOT (starts_with(CAST("owner" AS text), CAST("status" AS text))) AND strpos($5, CAST("status" AS text)) > 0) LIMIT $6
-- binds string "ada", string "paid", string "paid", string "50%", string "paid,open", bigint 10
-- answers id string

-- mysql
SELECT `id` FROM `orders` WHERE (left(CAST(CONVERT(`owner` USING utf8mb4) AS BINARY), length(CAST(? AS BINARY))) = CAST(? AS BINARY) AND right(CAST(CONVERT(`status` USING utf8mb4) AS BINARY), length(CAST(? AS BINARY))) = CAST(? AS BINARY) AND LOCATE(CAST(? AS BINARY), CAST(CONVERT(`note` USING utf8mb4) AS BINARY)) > 0 AND NOT (left(CAST(CONVERT(`owner` USING utf8mb4) AS BINARY), length(CAST(CONVERT(`status` USING utf8mb4) AS BINARY))) = CAST(CONVERT(`status` USING utf8mb4) AS BINARY)) AND LOCATE(CAST(CONVERT(`status` USING utf8mb4) AS BINARY), CAST(? AS BINARY)) > 0) LIMIT ?
-- binds string "ada", string "ada", string "paid", string "paid", string "50%", string "paid,open", bigint 10
-- answers id string
