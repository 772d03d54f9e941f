-- rows that are there already stay

-- sqlite
-- returning
INSERT INTO "customers" ("id", "email", "name", "active") VALUES (?, ?, ?, ?), (?, ?, ?, ?) ON CONFLICT ("email") DO NOTHING RETURNING "id", "email", ("active") IS TRUE AS "stk_check"
-- binds string "c1", string "ada", string "A", boolean true, string "c2", string "bob", string "B", boolean false
-- answers id string, email string, stk_check boolean

-- postgres
-- returning
INSERT INTO "customers" ("id", "email", "name", "active") VALUES ($1, $2, $3, $4), ($5, $6, $7, $8) ON CONFLICT ("email") DO NOTHING RETURNING "id", "email", ("active") IS TRUE AS "stk_check"
-- binds string "c1", string "ada", string "A", boolean true, string "c2", string "bob", string "B", boolean false
-- answers id string, email string, stk_check boolean

-- mysql
-- existing rows
SELECT CASE WHEN (`email` = ?) THEN ? WHEN (`email` = ?) THEN ? END AS `stk_row`, `id`, TRUE AS `stk_check` FROM `customers` WHERE (`email` = ?) OR (`email` = ?) FOR UPDATE
-- binds string "ada", bigint 0, string "bob", bigint 1, string "ada", string "bob"
-- answers stk_row bigint, id string, stk_check boolean
-- by key
INSERT INTO `customers` (`id`, `email`, `name`, `active`) VALUES (?, ?, ?, ?), (?, ?, ?, ?)
-- binds string "c1", string "ada", string "A", boolean true, string "c2", string "bob", string "B", boolean false
-- check
SELECT count(*) AS `count` FROM `customers` WHERE `id` IN (?, ?, ?, ?) AND `active`
-- binds string "key1", string "key2", string "key3", string "key3"
-- answers count bigint
-- rows
SELECT `id`, `email` FROM `customers` WHERE `id` IN (?, ?, ?, ?)
-- binds string "key1", string "key2", string "key3", string "key3"
-- answers id string, email string
