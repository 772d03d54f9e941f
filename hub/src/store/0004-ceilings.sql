-- What components may have at most, as JSON.
CREATE TABLE ceilings (
    project TEXT PRIMARY KEY REFERENCES projects (name), document TEXT NOT NULL, updated_at TEXT NOT NULL
) STRICT;
PRAGMA user_version = 4;
