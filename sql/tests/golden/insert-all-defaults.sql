-- rows of defaults

-- sqlite
-- returning
INSERT INTO "items" DEFAULT VALUES RETURNING "id"
-- answers id bigint
-- returning
INSERT INTO "items" DEFAULT VALUES RETURNING "id"
-- answers id bigint

-- postgres
-- returning
INSERT INTO "items" DEFAULT VALUES RETURNING "id"
-- answers id bigint
-- returning
INSERT INTO "items" DEFAULT VALUES RETURNING "id"
-- answers id bigint

-- mysql
-- by key
INSERT INTO `items` () VALUES ()
-- by key
INSERT INTO `items` () VALUES ()
-- rows
SELECT `id` FROM `items` WHERE `id` IN (?, ?, ?, ?)
-- binds bigint 1, bigint 2, bigint 3, bigint 3
-- answers id bigint
