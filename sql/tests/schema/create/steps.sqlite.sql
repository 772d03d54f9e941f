-- create table a_table_whose_name_is_as_long_as_any_engine_here_will_ever_take
-- safe; holds up all writers, for a moment
CREATE TABLE "a_table_whose_name_is_as_long_as_any_engine_here_will_ever_take" ( "id" INT NOT NULL PRIMARY KEY, "a_column_whose_name_is_as_long_as_any_engine_here_will_ever_ta1" INTEGER, "a_column_whose_name_is_as_long_as_any_engine_here_will_ever_ta2" INTEGER );
-- create table customers
-- safe; holds up all writers, for a moment
CREATE TABLE "customers" ( "id" INTEGER PRIMARY KEY AUTOINCREMENT, "email" TEXT NOT NULL, "score" REAL DEFAULT -0.5, "active" BOOLEAN NOT NULL DEFAULT 1, "createdAt" TIMESTAMP_TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'), "invited" BIGINT REFERENCES "customers" ("id") ON UPDATE CASCADE ON DELETE SET NULL, "lastOrder" TEXT REFERENCES "order" ("order id") ON UPDATE RESTRICT ON DELETE NO ACTION );
-- create table order
-- safe; holds up all writers, for a moment
CREATE TABLE "order" ( "order id" TEXT NOT NULL PRIMARY KEY, "customer" BIGINT NOT NULL REFERENCES "customers" ("id") ON UPDATE RESTRICT ON DELETE CASCADE, "email" TEXT REFERENCES "customers" ("email") ON UPDATE RESTRICT ON DELETE RESTRICT, "total" DECIMAL_TEXT NOT NULL DEFAULT '12.50', "count" INTEGER DEFAULT 1, "big" BIGINT DEFAULT 9007199254740993, "note" TEXT DEFAULT 'it''s "quoted" \ and more', "code" TEXT DEFAULT 'new', "tags" JSON_TEXT DEFAULT '{"a":["it''s"]}', "list" JSON_TEXT, "due" TIMESTAMP_TEXT DEFAULT '2030-01-02T03:04:05.678900Z', "receipt" TEXT, "blob" BLOB DEFAULT X'00ff', "nothing" JSON_TEXT );
-- create index stk_uq_a_table_whose_name_is_as_long_as_any_en$035ec9dd685e4aeb
-- safe; holds up all writers, while the table is read
CREATE UNIQUE INDEX "stk_uq_a_table_whose_name_is_as_long_as_any_en$035ec9dd685e4aeb" ON "a_table_whose_name_is_as_long_as_any_engine_here_will_ever_take" ("a_column_whose_name_is_as_long_as_any_engine_here_will_ever_ta1");
-- create index stk_uq_a_table_whose_name_is_as_long_as_any_en$ad034630b87eecb5
-- safe; holds up all writers, while the table is read
CREATE UNIQUE INDEX "stk_uq_a_table_whose_name_is_as_long_as_any_en$ad034630b87eecb5" ON "a_table_whose_name_is_as_long_as_any_engine_here_will_ever_take" ("a_column_whose_name_is_as_long_as_any_engine_here_will_ever_ta2");
-- create index stk_uq_customers$email
-- safe; holds up all writers, while the table is read
CREATE UNIQUE INDEX "stk_uq_customers$email" ON "customers" ("email");
-- create index stk_ix_order$customer$code
-- safe; holds up all writers, while the table is read
CREATE INDEX "stk_ix_order$customer$code" ON "order" ("customer", "code");
-- create index stk_uq_order$code$count
-- safe; holds up all writers, while the table is read
CREATE UNIQUE INDEX "stk_uq_order$code$count" ON "order" ("code", "count");
