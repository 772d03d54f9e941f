-- add column items.stock
ALTER TABLE "items" ADD COLUMN "stock" INTEGER NOT NULL DEFAULT (0);
-- add column items.price
ALTER TABLE "items" ADD COLUMN "price" DECIMAL_TEXT;
-- create index stk_uq_items_price
CREATE UNIQUE INDEX "stk_uq_items_price" ON "items" ("price");
-- create index stk_ix_items_stock_price
CREATE INDEX "stk_ix_items_stock_price" ON "items" ("stock", "price");
