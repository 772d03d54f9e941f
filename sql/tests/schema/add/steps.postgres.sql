-- create table kinds
-- safe; holds up nobody
CREATE TABLE "kinds" ( "id" text COLLATE "C" NOT NULL PRIMARY KEY );
-- add column items.price
-- safe; holds up readers and writers of the table, for a moment
ALTER TABLE "items" ADD COLUMN "price" numeric;
-- add column items.kind
-- safe; holds up readers and writers of the table, for a moment
ALTER TABLE "items" ADD COLUMN "kind" text COLLATE "C";
-- create index stk_uq_items$price
-- safe, after the others; holds up nobody: readers and writers go on
CREATE UNIQUE INDEX CONCURRENTLY "stk_uq_items$price" ON "items" ("price");
-- create index stk_ix_items$stock$price
-- safe, after the others; holds up nobody: readers and writers go on
CREATE INDEX CONCURRENTLY "stk_ix_items$stock$price" ON "items" ("stock", "price");
-- add reference items.kind to kinds
-- safe, after the others; holds up writers of both tables, for a moment
ALTER TABLE "items" ADD CONSTRAINT "stk_fk_items$kind" FOREIGN KEY ("kind") REFERENCES "kinds" ("id") ON DELETE SET NULL ON UPDATE RESTRICT NOT VALID;
-- validate reference stk_fk_items$kind
-- safe, after the others; holds up nobody: readers and writers go on
ALTER TABLE "items" VALIDATE CONSTRAINT "stk_fk_items$kind";
