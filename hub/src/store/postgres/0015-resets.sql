-- With what operators who have lost their password or second factor come in again: the hash of a code that is used once.
CREATE TABLE operator_resets (
    operator TEXT COLLATE "C" PRIMARY KEY REFERENCES operators (id) ON DELETE CASCADE, hash TEXT COLLATE "C" NOT NULL UNIQUE,
    made_by TEXT COLLATE "C" NOT NULL, created_at TEXT COLLATE "C" NOT NULL, expires_at TEXT COLLATE "C" NOT NULL
);
