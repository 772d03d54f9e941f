-- rename column orders.client to customer
-- safe, breaking; holds up all writers, for a moment
ALTER TABLE "orders" RENAME COLUMN "client" TO "customer";
-- make table orders anew: change column orders.number: NULL is not allowed any more, another default, change column orders.note: NULL is allowed, another default, drop reference orders.person to people, add reference orders.person to people, drop reference orders.dropped to gone, drop column orders.dropped
-- destructive, breaking; holds up all writers, while the table is copied
CREATE TABLE "stk_rebuilt_orders" ( "id" INTEGER PRIMARY KEY AUTOINCREMENT, "number" BIGINT NOT NULL DEFAULT 0, "note" TEXT, "customer" TEXT, "person" TEXT REFERENCES "people" ("id") ON UPDATE RESTRICT ON DELETE SET NULL );
INSERT INTO "stk_rebuilt_orders" ("id", "number", "note", "customer", "person") SELECT "id", coalesce("number", 0), "note", "customer", "person" FROM "orders";
DELETE FROM sqlite_sequence WHERE name = 'stk_rebuilt_orders';
INSERT INTO sqlite_sequence (name, seq) SELECT 'stk_rebuilt_orders', seq FROM sqlite_sequence WHERE name = 'orders';
DROP TABLE "orders";
ALTER TABLE "stk_rebuilt_orders" RENAME TO "orders";
CREATE INDEX "stk_ix_orders$client" ON "orders" ("customer");
CREATE INDEX "others" ON "orders" ("note");
-- drop table gone
-- destructive, breaking; holds up all writers, for a moment
DROP TABLE "gone";
-- create index stk_ix_orders$number
-- safe; holds up all writers, while the table is read
CREATE INDEX "stk_ix_orders$number" ON "orders" ("number");
