-- A trader's schema in the manner of Northwind: text keys, a self-reference, a many-to-many with two columns as its key, names that
-- are reserved or mixed-case, a view, types that a project does not have.
CREATE TABLE customers (
    customerID NVARCHAR(5) PRIMARY KEY NOT NULL,
    companyName NVARCHAR(40) NOT NULL COLLATE NOCASE,
    [Order] TEXT,
    phone VARCHAR(24)
);
CREATE INDEX by_name ON customers (companyName);
CREATE TABLE employees (
    id INTEGER PRIMARY KEY,
    lastName TEXT NOT NULL,
    reportsTo INTEGER REFERENCES Employees,
    hireDate DATE,
    salary NUMERIC(10, 2) DEFAULT 0 NOT NULL,
    photo BLOB,
    notes TEXT DEFAULT 'none''s "known"' NOT NULL,
    active BOOLEAN DEFAULT 1 NOT NULL
);
CREATE TABLE "order" (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    customer NVARCHAR(5) NOT NULL REFERENCES customers (customerid) ON DELETE CASCADE ON UPDATE CASCADE,
    employee INTEGER REFERENCES employees ON DELETE SET NULL,
    shipper INTEGER REFERENCES employees (id),
    "from" DATETIME DEFAULT CURRENT_TIMESTAMP,
    freight REAL DEFAULT 0.5,
    extra JSON DEFAULT '{"gift": false}',
    anything
);
CREATE INDEX by_customer ON "order" (customer, "from" DESC);
CREATE INDEX recent ON "order" ("from") WHERE employee IS NOT NULL;
CREATE TABLE products (
    id INT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL UNIQUE,
    "group" TEXT,
    unitPrice DOUBLE NOT NULL,
    unitsInStock SMALLINT DEFAULT 0 NOT NULL,
    total REAL GENERATED ALWAYS AS (unitPrice * 2) STORED
);
CREATE TABLE order_details (
    orderID INTEGER NOT NULL REFERENCES "order" ON DELETE CASCADE,
    productID INT NOT NULL REFERENCES products,
    quantity INTEGER DEFAULT 1 NOT NULL,
    PRIMARY KEY (orderID, productID)
) WITHOUT ROWID;
CREATE TABLE detail_notes (
    id TEXT PRIMARY KEY NOT NULL,
    orderID INTEGER NOT NULL,
    productID INT NOT NULL,
    note TEXT,
    FOREIGN KEY (orderID, productID) REFERENCES order_details
);
CREATE TABLE log (at DATETIME, line TEXT);
CREATE TABLE "odd name" (id INTEGER PRIMARY KEY);
CREATE VIEW "current orders" AS SELECT id FROM "order";
