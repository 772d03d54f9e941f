-- Who applies to an env now. `expires_at` is in milliseconds since 1970, by the clock of the database.
CREATE TABLE apply_locks (
    project TEXT NOT NULL, env TEXT NOT NULL, owner TEXT NOT NULL, expires_at INTEGER NOT NULL,
    PRIMARY KEY (project, env), FOREIGN KEY (project, env) REFERENCES envs (project, name)
) STRICT;
