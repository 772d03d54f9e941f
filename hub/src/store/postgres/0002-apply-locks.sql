-- Who applies to an env now. `expires_at` is in milliseconds since 1970, by the clock of the database.
CREATE TABLE apply_locks (
    project TEXT COLLATE "C" NOT NULL, env TEXT COLLATE "C" NOT NULL, owner TEXT COLLATE "C" NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (project, env), FOREIGN KEY (project, env) REFERENCES envs (project, name)
);
