-- A rental shop in the manner of Sakila: unsigned small keys, enums, sets, years, two references to one table, unique pairs.
CREATE TABLE language (
    language_id tinyint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
    name char(20) NOT NULL,
    last_update timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP
) DEFAULT CHARSET utf8mb4 COLLATE utf8mb4_nopad_bin;
CREATE TABLE actor (
    actor_id smallint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
    first_name varchar(45) NOT NULL,
    last_name varchar(45) NOT NULL,
    UNIQUE (first_name, last_name)
) DEFAULT CHARSET utf8mb4 COLLATE utf8mb4_nopad_bin;
CREATE TABLE film (
    film_id smallint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
    title varchar(255) NOT NULL,
    description text,
    release_year year,
    language_id tinyint unsigned NOT NULL,
    original_language_id tinyint unsigned,
    rental_rate decimal(4, 2) NOT NULL DEFAULT 4.99,
    rating enum('G', 'PG', 'R') DEFAULT 'G',
    special_features set('Trailers', 'Commentaries'),
    KEY (title),
    FULLTEXT KEY (title, description),
    CONSTRAINT fk_film_language FOREIGN KEY (language_id) REFERENCES language (language_id) ON DELETE RESTRICT ON UPDATE CASCADE,
    CONSTRAINT fk_film_original FOREIGN KEY (original_language_id) REFERENCES language (language_id) ON DELETE RESTRICT ON UPDATE CASCADE
) DEFAULT CHARSET utf8mb4 COLLATE utf8mb4_nopad_bin;
CREATE TABLE film_actor (
    actor_id smallint unsigned NOT NULL,
    film_id smallint unsigned NOT NULL,
    PRIMARY KEY (actor_id, film_id),
    FOREIGN KEY (actor_id) REFERENCES actor (actor_id) ON UPDATE CASCADE,
    FOREIGN KEY (film_id) REFERENCES film (film_id) ON UPDATE CASCADE
);
CREATE TABLE store (
    store_id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
    manager_staff_id int NOT NULL UNIQUE,
    location geometry NOT NULL
);
CREATE TABLE staff (
    staff_id int NOT NULL AUTO_INCREMENT PRIMARY KEY,
    store_id int unsigned NOT NULL,
    store varchar(10),
    email varchar(50),
    picture blob,
    FOREIGN KEY (store_id) REFERENCES store (store_id)
) DEFAULT CHARSET utf8mb4 COLLATE utf8mb4_nopad_bin;
ALTER TABLE store ADD FOREIGN KEY (manager_staff_id) REFERENCES staff (staff_id);
CREATE VIEW actor_info AS SELECT actor_id FROM actor;
