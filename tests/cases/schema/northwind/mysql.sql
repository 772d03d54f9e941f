-- A trader's schema in the manner of Northwind: text keys, a self-reference, a many-to-many with two columns as its key, names that
-- are reserved or mixed-case, a view, types that a project does not have.
CREATE TABLE customers (
    customerID varchar(5) PRIMARY KEY,
    companyName varchar(40) NOT NULL,
    `Order` varchar(60) COLLATE utf8mb4_bin,
    phone char(24),
    KEY (companyName)
) DEFAULT CHARSET utf8mb4 COLLATE utf8mb4_general_ci;
CREATE TABLE employees (
    id int AUTO_INCREMENT PRIMARY KEY,
    lastName varchar(60) NOT NULL,
    reportsTo int,
    hireDate date,
    salary decimal(10, 2) DEFAULT 0 NOT NULL,
    photo longblob,
    notes varchar(200) DEFAULT 'none''s "known"' NOT NULL,
    active tinyint(1) DEFAULT 1 NOT NULL,
    rating enum('G', 'PG'),
    FOREIGN KEY (reportsTo) REFERENCES employees (id)
) DEFAULT CHARSET utf8mb4;
CREATE TABLE `order` (
    id bigint unsigned AUTO_INCREMENT PRIMARY KEY,
    customer varchar(5) NOT NULL,
    employee int,
    shipper int,
    `from` datetime,
    createdAt timestamp(6) DEFAULT CURRENT_TIMESTAMP(6) NOT NULL,
    `user` char(36) DEFAULT (uuid()),
    freight float DEFAULT 0.5,
    extra json DEFAULT ('{"gift": false}'),
    CONSTRAINT FOREIGN KEY (customer) REFERENCES customers (customerID) ON DELETE CASCADE ON UPDATE CASCADE,
    FOREIGN KEY (employee) REFERENCES employees (id) ON DELETE SET NULL,
    FOREIGN KEY (shipper) REFERENCES employees (id),
    KEY (customer, createdAt)
) DEFAULT CHARSET utf8mb4 COLLATE utf8mb4_general_ci;
CREATE TABLE products (
    id int PRIMARY KEY,
    name varchar(100) NOT NULL UNIQUE,
    `group` varchar(20),
    unitPrice decimal(20, 4) NOT NULL,
    unitsInStock smallint unsigned DEFAULT 0 NOT NULL,
    total decimal(20, 4) AS (unitPrice * 2) STORED
) DEFAULT CHARSET utf8mb4;
CREATE TABLE order_details (
    orderID bigint unsigned NOT NULL,
    productID int NOT NULL,
    quantity int DEFAULT 1 NOT NULL,
    PRIMARY KEY (orderID, productID),
    FOREIGN KEY (orderID) REFERENCES `order` (id) ON DELETE CASCADE,
    FOREIGN KEY (productID) REFERENCES products (id)
);
CREATE TABLE detail_notes (
    id varchar(26) PRIMARY KEY,
    orderID bigint unsigned NOT NULL,
    productID int NOT NULL,
    note text,
    KEY first_words (note(20)),
    FOREIGN KEY (orderID, productID) REFERENCES order_details (orderID, productID)
) DEFAULT CHARSET utf8mb4;
CREATE TABLE log (at datetime, line text);
CREATE TABLE `odd name` (id int PRIMARY KEY);
CREATE TABLE places (id year PRIMARY KEY, spot point);
CREATE VIEW `current orders` AS SELECT id FROM `order`;
