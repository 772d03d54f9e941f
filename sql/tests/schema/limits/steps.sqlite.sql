-- create table indexed
CREATE TABLE "indexed" ( "id" TEXT NOT NULL PRIMARY KEY, "long" TEXT, "fits" TEXT, "longest" TEXT, "data" JSON_TEXT, "hash" BLOB DEFAULT X'00ff', "owner" TEXT DEFAULT 'x' REFERENCES "wide" ("id") ON UPDATE RESTRICT ON DELETE SET DEFAULT );
-- create table wide
CREATE TABLE "wide" ( "id" TEXT NOT NULL PRIMARY KEY, "a" TEXT, "b" TEXT, "c" TEXT );
-- create index stk_uq_indexed$fits
CREATE UNIQUE INDEX "stk_uq_indexed$fits" ON "indexed" ("fits");
-- create index stk_uq_indexed$hash
CREATE UNIQUE INDEX "stk_uq_indexed$hash" ON "indexed" ("hash");
-- create index stk_ix_indexed$long
CREATE INDEX "stk_ix_indexed$long" ON "indexed" ("long");
-- create index stk_ix_indexed$longest
CREATE INDEX "stk_ix_indexed$longest" ON "indexed" ("longest");
-- create index stk_ix_indexed$data
CREATE INDEX "stk_ix_indexed$data" ON "indexed" ("data");
