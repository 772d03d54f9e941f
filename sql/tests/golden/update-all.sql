-- every row

-- sqlite
-- affected
UPDATE "items" SET "count" = ?
-- binds int 0

-- postgres
-- affected
UPDATE "items" SET "count" = $1
-- binds int 0

-- mysql
-- affected
UPDATE `items` SET `count` = ?
-- binds int 0
