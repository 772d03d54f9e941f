-- The least that the next pointer's sequence follows: a restore advances it.
CREATE TABLE sequences (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
