-- a rule for the new row, nothing answered

-- sqlite
-- returning
INSERT INTO "orders" ("id", "customerId", "status") VALUES (?, ?, ?) RETURNING json_extract('true', CASE WHEN "owner" IS NOT NULL THEN '$' ELSE 'stk_check' END) AS "stk_check"
-- binds string "o1", string "c1", string "paid"
-- answers stk_check boolean

-- postgres
-- returning
INSERT INTO "orders" ("id", "customerId", "status") VALUES ($1, $2, $3) RETURNING CAST(CASE WHEN "owner" IS NOT NULL THEN 'true' ELSE 'stk_check' END AS boolean) AS "stk_check"
-- binds string "o1", string "c1", string "paid"
-- answers stk_check boolean

-- mysql
-- by key
INSERT INTO `orders` (`id`, `customerId`, `status`) VALUES (?, ?, ?)
-- binds string "o1", string "c1", string "paid"
-- check
SELECT count(*) AS `count` FROM `orders` WHERE `id` IN (?, ?, ?, ?) AND `owner` IS NOT NULL
-- binds string "key1", string "key2", string "key3", string "key3"
-- answers count bigint
