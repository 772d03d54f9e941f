-- create table kinds
CREATE TABLE "kinds" ( "id" TEXT NOT NULL PRIMARY KEY );
-- add column items.price
ALTER TABLE "items" ADD COLUMN "price" DECIMAL_TEXT;
-- add column items.kind
ALTER TABLE "items" ADD COLUMN "kind" TEXT REFERENCES "kinds" ("id") ON UPDATE RESTRICT ON DELETE SET NULL;
-- create index stk_uq_items$price
CREATE UNIQUE INDEX "stk_uq_items$price" ON "items" ("price");
-- create index stk_ix_items$stock$price
CREATE INDEX "stk_ix_items$stock$price" ON "items" ("stock", "price");
