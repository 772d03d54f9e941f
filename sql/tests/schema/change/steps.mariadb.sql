-- drop reference orders.person to people
-- safe; holds up readers and writers of the table, for a moment
ALTER TABLE `orders` DROP FOREIGN KEY `stk_fk_orders$person`;
-- drop reference orders.dropped to gone
-- safe; holds up readers and writers of the table, for a moment
ALTER TABLE `orders` DROP FOREIGN KEY `stk_fk_orders$dropped`;
-- drop reference gone.id to people
-- safe; holds up readers and writers of the table, for a moment
ALTER TABLE `gone` DROP FOREIGN KEY `stk_fk_gone$id`;
-- drop index stk_uq_orders$note
-- safe; holds up readers and writers of the table, for a moment
DROP INDEX `stk_uq_orders$note` ON `orders`;
-- drop index stk_fk_orders$dropped
-- safe; holds up readers and writers of the table, for a moment
DROP INDEX `stk_fk_orders$dropped` ON `orders`;
-- rename column orders.client to customer
-- safe, breaking; holds up readers and writers of the table, for a moment
ALTER TABLE `orders` RENAME COLUMN `client` TO `customer`;
-- fill orders.number with its default where it is NULL
-- needs-backfill; holds up the rows that get a value
UPDATE `orders` SET `number` = 0 WHERE `number` IS NULL;
-- change column orders.number: int becomes BIGINT, NULL is not allowed any more, another default
-- destructive, breaking; holds up writers of the table, while it is copied
ALTER TABLE `orders` MODIFY COLUMN `number` BIGINT NOT NULL DEFAULT 0;
-- change column orders.note: NULL is allowed, another default
-- safe; holds up readers and writers of the table, for a moment
ALTER TABLE `orders` MODIFY COLUMN `note` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
-- drop column orders.dropped
-- destructive, breaking; holds up readers and writers of the table, for a moment
ALTER TABLE `orders` DROP COLUMN `dropped`;
-- drop table gone
-- destructive, breaking; holds up readers and writers of the table, for a moment
DROP TABLE `gone`;
-- create index stk_ix_orders$number
-- safe; holds up writers of the table, at the begin and the end
CREATE INDEX `stk_ix_orders$number` ON `orders` (`number`);
-- add reference orders.person to people
-- safe; holds up writers of the table, at the begin and the end
ALTER TABLE `orders` ADD CONSTRAINT `stk_fk_orders$person` FOREIGN KEY (`person`) REFERENCES `people` (`id`) ON DELETE SET NULL ON UPDATE RESTRICT;
