-- create table a_table_whose_name_is_as_long_as_any_engine_here_will_ever_take
-- safe; holds up nobody
CREATE TABLE `a_table_whose_name_is_as_long_as_any_engine_here_will_ever_take` ( `id` INT NOT NULL PRIMARY KEY, `a_column_whose_name_is_as_long_as_any_engine_here_will_ever_ta1` INT, `a_column_whose_name_is_as_long_as_any_engine_here_will_ever_ta2` INT ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
-- create table customers
-- safe; holds up nobody
CREATE TABLE `customers` ( `id` BIGINT NOT NULL PRIMARY KEY AUTO_INCREMENT, `email` VARCHAR(320) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL, `score` DOUBLE DEFAULT -0.5, `active` TINYINT(1) NOT NULL DEFAULT 1, `createdAt` DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), `invited` BIGINT, `lastOrder` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
-- create table order
-- safe; holds up nobody
CREATE TABLE `order` ( `order id` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL PRIMARY KEY, `customer` BIGINT NOT NULL, `email` VARCHAR(320) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin, `total` DECIMAL(65,30) NOT NULL DEFAULT 12.5, `count` INT DEFAULT 1, `big` BIGINT DEFAULT 9007199254740993, `note` LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin DEFAULT ('it''s "quoted" \\ and more'), `code` VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin DEFAULT 'new', `tags` JSON DEFAULT ('{"a":["it''s"]}'), `list` JSON, `due` DATETIME(6) DEFAULT '2030-01-02 03:04:05.678900', `receipt` VARCHAR(1024) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin, `blob` LONGBLOB DEFAULT (X'00ff'), `nothing` JSON ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
-- create index stk_uq_a_table_whose_name_is_as_long_as_any_en$035ec9dd685e4aeb
-- safe; holds up writers of the table, at the begin and the end
CREATE UNIQUE INDEX `stk_uq_a_table_whose_name_is_as_long_as_any_en$035ec9dd685e4aeb` ON `a_table_whose_name_is_as_long_as_any_engine_here_will_ever_take` (`a_column_whose_name_is_as_long_as_any_engine_here_will_ever_ta1`);
-- create index stk_uq_a_table_whose_name_is_as_long_as_any_en$ad034630b87eecb5
-- safe; holds up writers of the table, at the begin and the end
CREATE UNIQUE INDEX `stk_uq_a_table_whose_name_is_as_long_as_any_en$ad034630b87eecb5` ON `a_table_whose_name_is_as_long_as_any_engine_here_will_ever_take` (`a_column_whose_name_is_as_long_as_any_engine_here_will_ever_ta2`);
-- create index stk_uq_customers$email
-- safe; holds up writers of the table, at the begin and the end
CREATE UNIQUE INDEX `stk_uq_customers$email` ON `customers` (`email`);
-- create index stk_ix_order$customer$code
-- safe; holds up writers of the table, at the begin and the end
CREATE INDEX `stk_ix_order$customer$code` ON `order` (`customer`, `code`);
-- create index stk_uq_order$code$count
-- safe; holds up writers of the table, at the begin and the end
CREATE UNIQUE INDEX `stk_uq_order$code$count` ON `order` (`code`, `count`);
-- add reference customers.invited to customers
-- safe; holds up writers of the table, at the begin and the end
ALTER TABLE `customers` ADD CONSTRAINT `stk_fk_customers$invited` FOREIGN KEY (`invited`) REFERENCES `customers` (`id`) ON DELETE SET NULL ON UPDATE CASCADE;
-- add reference customers.lastOrder to order
-- safe; holds up writers of the table, at the begin and the end
ALTER TABLE `customers` ADD CONSTRAINT `stk_fk_customers$lastOrder` FOREIGN KEY (`lastOrder`) REFERENCES `order` (`order id`) ON DELETE NO ACTION ON UPDATE RESTRICT;
-- add reference order.customer to customers
-- safe; holds up writers of the table, at the begin and the end
ALTER TABLE `order` ADD CONSTRAINT `stk_fk_order$customer` FOREIGN KEY (`customer`) REFERENCES `customers` (`id`) ON DELETE CASCADE ON UPDATE RESTRICT;
-- add reference order.email to customers
-- safe; holds up writers of the table, at the begin and the end
ALTER TABLE `order` ADD CONSTRAINT `stk_fk_order$email` FOREIGN KEY (`email`) REFERENCES `customers` (`email`) ON DELETE RESTRICT ON UPDATE RESTRICT;
