-- The least that the next pointer's sequence follows: a restore advances it.
CREATE TABLE sequences (name TEXT COLLATE "C" PRIMARY KEY, value BIGINT NOT NULL);
