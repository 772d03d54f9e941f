-- create table kinds
CREATE TABLE "kinds" ( "id" text COLLATE "C" NOT NULL PRIMARY KEY );
-- add column items.price
ALTER TABLE "items" ADD COLUMN "price" numeric;
-- add column items.kind
ALTER TABLE "items" ADD COLUMN "kind" text COLLATE "C";
-- create index stk_uq_items$price
CREATE UNIQUE INDEX "stk_uq_items$price" ON "items" ("price");
-- create index stk_ix_items$stock$price
CREATE INDEX "stk_ix_items$stock$price" ON "items" ("stock", "price");
-- add reference items.kind to kinds
ALTER TABLE "items" ADD CONSTRAINT "stk_fk_items$kind" FOREIGN KEY ("kind") REFERENCES "kinds" ("id") ON DELETE SET NULL ON UPDATE RESTRICT;
