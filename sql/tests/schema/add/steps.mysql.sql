-- create table kinds
-- safe; holds up nobody
CREATE TABLE `kinds` ( `id` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin NOT NULL PRIMARY KEY ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_bin;
-- add column items.price
-- safe; holds up readers and writers of the table, for a moment
ALTER TABLE `items` ADD COLUMN `price` DECIMAL(65,30);
-- add column items.kind
-- safe; holds up readers and writers of the table, for a moment
ALTER TABLE `items` ADD COLUMN `kind` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin;
-- create index stk_uq_items$price
-- safe; holds up writers of the table, at the begin and the end
CREATE UNIQUE INDEX `stk_uq_items$price` ON `items` (`price`);
-- create index stk_ix_items$stock$price
-- safe; holds up writers of the table, at the begin and the end
CREATE INDEX `stk_ix_items$stock$price` ON `items` (`stock`, `price`);
-- add reference items.kind to kinds
-- safe; holds up writers of the table, at the begin and the end
ALTER TABLE `items` ADD CONSTRAINT `stk_fk_items$kind` FOREIGN KEY (`kind`) REFERENCES `kinds` (`id`) ON DELETE SET NULL ON UPDATE RESTRICT;
