-- one level of a relation to one

-- sqlite
SELECT "id", "name" FROM "customers" WHERE "id" IN (?) AND "active" LIMIT ?
-- binds string "a", bigint 2
-- answers id string, name string

-- postgres
SELECT "id", "name" FROM "customers" WHERE "id" IN ($1) AND "active" LIMIT $2
-- binds string "a", bigint 2
-- answers id string, name string

-- mysql
SELECT `id`, `name` FROM `customers` WHERE `id` IN (?) AND `active` LIMIT ?
-- binds string "a", bigint 2
-- answers id string, name string
