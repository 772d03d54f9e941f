-- create table customers
CREATE TABLE "customers" ( "id" INTEGER PRIMARY KEY AUTOINCREMENT, "email" TEXT NOT NULL, "score" REAL, "active" BOOLEAN NOT NULL DEFAULT (1), "createdAt" TIMESTAMP_TEXT NOT NULL DEFAULT ((strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')) );
-- create table orders
CREATE TABLE "orders" ( "order id" TEXT NOT NULL PRIMARY KEY, "customer" BIGINT NOT NULL REFERENCES "customers" ("id") ON UPDATE RESTRICT ON DELETE CASCADE, "total" DECIMAL_TEXT NOT NULL, "note" TEXT DEFAULT ('it''s "quoted"'), "tags" JSON_TEXT, "blob" BLOB );
-- create index stk_uq_customers_email
CREATE UNIQUE INDEX "stk_uq_customers_email" ON "customers" ("email");
-- create index stk_ix_orders_customer_total
CREATE INDEX "stk_ix_orders_customer_total" ON "orders" ("customer", "total");
