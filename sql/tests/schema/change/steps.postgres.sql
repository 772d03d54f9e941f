-- drop reference orders.dropped to gone
-- safe; holds up writers of both tables, for a moment
ALTER TABLE "orders" DROP CONSTRAINT "stk_fk_orders$dropped";
-- drop reference gone.id to people
-- safe; holds up writers of both tables, for a moment
ALTER TABLE "gone" DROP CONSTRAINT "stk_fk_gone$id";
-- drop index stk_ix_orders$number
-- safe; holds up readers and writers of the table, for a moment
DROP INDEX "stk_ix_orders$number";
-- drop index stk_uq_orders$note
-- safe; holds up readers and writers of the table, for a moment
DROP INDEX "stk_uq_orders$note";
-- rename column orders.client to customer
-- safe, breaking; holds up readers and writers of the table, for a moment
ALTER TABLE "orders" RENAME COLUMN "client" TO "customer";
-- fill orders.number with its default where it is NULL
-- needs-backfill; holds up the rows that get a value, until the end
UPDATE "orders" SET "number" = 0 WHERE "number" IS NULL;
-- change column orders.number: integer becomes bigint, NULL is not allowed any more, another default
-- destructive, breaking; holds up readers and writers of the table, while it is written anew
ALTER TABLE "orders" ALTER COLUMN "number" DROP DEFAULT, ALTER COLUMN "number" TYPE bigint USING "number", ALTER COLUMN "number" SET DEFAULT 0, ALTER COLUMN "number" SET NOT NULL;
-- change column orders.note: NULL is allowed, another default
-- safe; holds up readers and writers of the table, for a moment
ALTER TABLE "orders" ALTER COLUMN "note" DROP DEFAULT, ALTER COLUMN "note" DROP NOT NULL;
-- drop column orders.dropped
-- destructive, breaking; holds up readers and writers of the table, for a moment
ALTER TABLE "orders" DROP COLUMN "dropped";
-- drop table gone
-- destructive, breaking; holds up readers and writers of the table, for a moment
DROP TABLE "gone";
-- create index stk_ix_orders$number
-- safe, after the others; holds up nobody: readers and writers go on
CREATE INDEX CONCURRENTLY "stk_ix_orders$number" ON "orders" ("number");
-- validate reference stk_fk_orders$person
-- safe, after the others; holds up nobody: readers and writers go on
ALTER TABLE "orders" VALIDATE CONSTRAINT "stk_fk_orders$person";
