-- A rental shop in the manner of Sakila: domains, enums, arrays, triggers, two references to one table, unique pairs.
CREATE DOMAIN year AS integer CHECK (VALUE >= 1901 AND VALUE <= 2155);
CREATE TYPE mpaa_rating AS ENUM ('G', 'PG', 'R');
CREATE TABLE language (
    language_id smallserial PRIMARY KEY,
    name character(20) NOT NULL,
    last_update timestamp without time zone DEFAULT now() NOT NULL
);
CREATE TABLE actor (
    actor_id serial PRIMARY KEY,
    first_name character varying(45) NOT NULL,
    last_name character varying(45) NOT NULL,
    UNIQUE (first_name, last_name)
);
CREATE TABLE film (
    film_id serial PRIMARY KEY,
    title character varying(255) NOT NULL,
    description text,
    release_year year,
    language_id smallint NOT NULL REFERENCES language ON UPDATE CASCADE ON DELETE RESTRICT,
    original_language_id smallint REFERENCES language ON UPDATE CASCADE ON DELETE RESTRICT,
    rental_rate numeric(4, 2) DEFAULT 4.99 NOT NULL,
    rating mpaa_rating DEFAULT 'G'::mpaa_rating,
    special_features text[],
    fulltext tsvector NOT NULL
);
CREATE INDEX film_fulltext_idx ON film USING gist (fulltext);
CREATE INDEX ON film (lower(title));
CREATE TABLE film_actor (
    actor_id integer NOT NULL REFERENCES actor ON UPDATE CASCADE,
    film_id integer NOT NULL REFERENCES film ON UPDATE CASCADE,
    PRIMARY KEY (actor_id, film_id)
);
CREATE TABLE store (store_id serial PRIMARY KEY, manager_staff_id integer NOT NULL UNIQUE);
CREATE TABLE staff (
    staff_id serial PRIMARY KEY,
    store_id integer NOT NULL REFERENCES store,
    store character varying(10),
    email character varying(50)
);
ALTER TABLE store ADD FOREIGN KEY (manager_staff_id) REFERENCES staff;
CREATE VIEW actor_info AS SELECT actor_id FROM actor;
CREATE MATERIALIZED VIEW sales AS SELECT store_id FROM store;
