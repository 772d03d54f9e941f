-- create table kinds
-- safe; holds up all writers, for a moment
CREATE TABLE "kinds" ( "id" TEXT NOT NULL PRIMARY KEY );
-- add column items.price
-- safe; holds up all writers, for a moment
ALTER TABLE "items" ADD COLUMN "price" DECIMAL_TEXT;
-- add column items.kind
-- safe; holds up all writers, for a moment
ALTER TABLE "items" ADD COLUMN "kind" TEXT REFERENCES "kinds" ("id") ON UPDATE RESTRICT ON DELETE SET NULL;
-- create index stk_uq_items$price
-- safe; holds up all writers, while the table is read
CREATE UNIQUE INDEX "stk_uq_items$price" ON "items" ("price");
-- create index stk_ix_items$stock$price
-- safe; holds up all writers, while the table is read
CREATE INDEX "stk_ix_items$stock$price" ON "items" ("stock", "price");
