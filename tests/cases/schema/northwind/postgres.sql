-- A trader's schema in the manner of Northwind: text keys, a self-reference, a many-to-many with two columns as its key, names that
-- are reserved or mixed-case, a view, types that a project does not have.
CREATE TABLE customers (
    "customerID" character varying(5) PRIMARY KEY,
    "companyName" character varying(40) NOT NULL,
    "Order" character varying(60),
    phone character varying(24)
);
CREATE INDEX ON customers ("companyName");
CREATE TABLE employees (
    id serial PRIMARY KEY,
    "lastName" text NOT NULL,
    "reportsTo" integer REFERENCES employees,
    "hireDate" date,
    salary numeric(10, 2) DEFAULT 0 NOT NULL,
    photo bytea,
    notes text DEFAULT 'none''s "known"' NOT NULL,
    active boolean DEFAULT true NOT NULL
);
CREATE TABLE "order" (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer character varying(5) NOT NULL REFERENCES customers ON DELETE CASCADE ON UPDATE CASCADE,
    employee integer REFERENCES employees ON DELETE SET NULL,
    shipper integer REFERENCES employees (id),
    "from" timestamp without time zone,
    "createdAt" timestamp with time zone DEFAULT now() NOT NULL,
    "user" uuid DEFAULT gen_random_uuid(),
    freight real DEFAULT 0.5,
    tags text[],
    extra jsonb DEFAULT '{"gift": false}'
);
CREATE INDEX ON "order" (customer, "createdAt" DESC);
CREATE INDEX recent ON "order" ("createdAt") WHERE employee IS NOT NULL;
CREATE TABLE products (
    id integer PRIMARY KEY,
    name text NOT NULL UNIQUE,
    "group" text,
    "unitPrice" numeric NOT NULL,
    "unitsInStock" smallint DEFAULT 0 NOT NULL,
    total numeric GENERATED ALWAYS AS ("unitPrice" * 2) STORED
);
CREATE TABLE order_details (
    "orderID" bigint NOT NULL REFERENCES "order" ON DELETE CASCADE,
    "productID" integer NOT NULL REFERENCES products,
    quantity integer DEFAULT 1 NOT NULL,
    PRIMARY KEY ("orderID", "productID")
);
CREATE TABLE detail_notes (
    id text PRIMARY KEY,
    "orderID" bigint NOT NULL,
    "productID" integer NOT NULL,
    note text,
    FOREIGN KEY ("orderID", "productID") REFERENCES order_details
);
CREATE TABLE log (at timestamptz, line text);
CREATE TABLE "odd name" (id integer PRIMARY KEY);
CREATE TABLE places (id uuid PRIMARY KEY, spot point);
CREATE SCHEMA elsewhere;
CREATE TABLE elsewhere.countries (code text PRIMARY KEY);
CREATE TABLE addresses (
    id text PRIMARY KEY,
    country text REFERENCES elsewhere.countries,
    customer character varying(5) REFERENCES customers,
    spot point NOT NULL
);
CREATE VIEW "current orders" AS SELECT id FROM "order";
