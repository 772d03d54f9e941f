-- create table indexed
-- safe; holds up nobody
CREATE TABLE "indexed" ( "id" text COLLATE "C" NOT NULL PRIMARY KEY, "long" text COLLATE "C", "fits" text COLLATE "C", "longest" text COLLATE "C", "data" jsonb, "hash" bytea DEFAULT '\x00ff'::bytea, "title" text COLLATE "C" NOT NULL, "owner" text COLLATE "C" DEFAULT 'x' );
-- create table wide
-- safe; holds up nobody
CREATE TABLE "wide" ( "id" text COLLATE "C" NOT NULL PRIMARY KEY, "a" text COLLATE "C", "b" text COLLATE "C", "c" text COLLATE "C" );
-- create index stk_uq_indexed$fits
-- safe; holds up writers of the table, while it is read
CREATE UNIQUE INDEX "stk_uq_indexed$fits" ON "indexed" ("fits");
-- create index stk_uq_indexed$hash
-- safe; holds up writers of the table, while it is read
CREATE UNIQUE INDEX "stk_uq_indexed$hash" ON "indexed" ("hash");
-- create index stk_ix_indexed$long
-- safe; holds up writers of the table, while it is read
CREATE INDEX "stk_ix_indexed$long" ON "indexed" ("long");
-- create index stk_ix_indexed$longest
-- safe; holds up writers of the table, while it is read
CREATE INDEX "stk_ix_indexed$longest" ON "indexed" ("longest");
-- create index stk_ix_indexed$data
-- safe; holds up writers of the table, while it is read
CREATE INDEX "stk_ix_indexed$data" ON "indexed" ("data");
-- add reference indexed.title to indexed
-- safe; holds up writers of both tables, for a moment
ALTER TABLE "indexed" ADD CONSTRAINT "stk_fk_indexed$title" FOREIGN KEY ("title") REFERENCES "indexed" ("fits") ON DELETE RESTRICT ON UPDATE CASCADE;
-- add reference indexed.owner to wide
-- safe; holds up writers of both tables, for a moment
ALTER TABLE "indexed" ADD CONSTRAINT "stk_fk_indexed$owner" FOREIGN KEY ("owner") REFERENCES "wide" ("id") ON DELETE SET DEFAULT ON UPDATE RESTRICT;
