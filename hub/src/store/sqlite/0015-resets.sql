-- With what operators who have lost their password or second factor come in again: the hash of a code that is used once.
CREATE TABLE operator_resets (
    operator TEXT PRIMARY KEY REFERENCES operators (id) ON DELETE CASCADE, hash TEXT NOT NULL UNIQUE,
    made_by TEXT NOT NULL, created_at TEXT NOT NULL, expires_at TEXT NOT NULL
) STRICT;
