-- create table indexed
-- safe; holds up all writers, for a moment
CREATE TABLE "indexed" ( "id" TEXT NOT NULL PRIMARY KEY, "long" TEXT, "fits" TEXT, "longest" TEXT, "data" JSON_TEXT, "hash" BLOB DEFAULT X'00ff', "title" TEXT NOT NULL REFERENCES "indexed" ("fits") ON UPDATE CASCADE ON DELETE RESTRICT, "owner" TEXT DEFAULT 'x' REFERENCES "wide" ("id") ON UPDATE RESTRICT ON DELETE SET DEFAULT );
-- create table wide
-- safe; holds up all writers, for a moment
CREATE TABLE "wide" ( "id" TEXT NOT NULL PRIMARY KEY, "a" TEXT, "b" TEXT, "c" TEXT );
-- create index stk_uq_indexed$fits
-- safe; holds up all writers, while the table is read
CREATE UNIQUE INDEX "stk_uq_indexed$fits" ON "indexed" ("fits");
-- create index stk_uq_indexed$hash
-- safe; holds up all writers, while the table is read
CREATE UNIQUE INDEX "stk_uq_indexed$hash" ON "indexed" ("hash");
-- create index stk_ix_indexed$long
-- safe; holds up all writers, while the table is read
CREATE INDEX "stk_ix_indexed$long" ON "indexed" ("long");
-- create index stk_ix_indexed$longest
-- safe; holds up all writers, while the table is read
CREATE INDEX "stk_ix_indexed$longest" ON "indexed" ("longest");
-- create index stk_ix_indexed$data
-- safe; holds up all writers, while the table is read
CREATE INDEX "stk_ix_indexed$data" ON "indexed" ("data");
