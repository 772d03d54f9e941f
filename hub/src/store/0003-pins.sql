-- Releases that are kept to go back to.
CREATE TABLE release_pins (
    release TEXT PRIMARY KEY REFERENCES releases (id), project TEXT NOT NULL REFERENCES projects (name),
    reason TEXT NOT NULL, pinned_at TEXT NOT NULL
) STRICT;
PRAGMA user_version = 3;
