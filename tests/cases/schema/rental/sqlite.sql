-- A rental shop in the manner of Sakila: two references to one table, unique pairs, tables that refer to each other.
CREATE TABLE language (
    language_id SMALLINT NOT NULL PRIMARY KEY,
    name CHAR(20) NOT NULL,
    last_update TIMESTAMP NOT NULL
);
CREATE TABLE actor (
    actor_id INTEGER PRIMARY KEY AUTOINCREMENT,
    first_name VARCHAR(45) NOT NULL,
    last_name VARCHAR(45) NOT NULL,
    UNIQUE (first_name, last_name)
);
CREATE TABLE film (
    film_id INTEGER NOT NULL PRIMARY KEY,
    title VARCHAR(255) NOT NULL,
    description BLOB SUB_TYPE TEXT DEFAULT NULL,
    release_year VARCHAR(4) DEFAULT NULL,
    language_id SMALLINT NOT NULL REFERENCES language ON DELETE RESTRICT ON UPDATE CASCADE,
    original_language_id SMALLINT REFERENCES language ON DELETE RESTRICT ON UPDATE CASCADE,
    rental_rate DECIMAL(4, 2) DEFAULT 4.99 NOT NULL,
    rating VARCHAR(10) DEFAULT 'G' CHECK (rating IN ('G', 'PG', 'R'))
);
CREATE INDEX lower_title ON film (lower(title));
CREATE TABLE film_actor (
    actor_id INTEGER NOT NULL REFERENCES actor,
    film_id INTEGER NOT NULL REFERENCES film,
    PRIMARY KEY (actor_id, film_id)
);
CREATE TABLE store (store_id INTEGER PRIMARY KEY, manager_staff_id INTEGER NOT NULL UNIQUE REFERENCES staff);
CREATE TABLE staff (
    staff_id INTEGER PRIMARY KEY,
    store_id INTEGER NOT NULL REFERENCES store,
    store VARCHAR(10),
    email VARCHAR(50)
);
CREATE VIEW actor_info AS SELECT actor_id FROM actor;
