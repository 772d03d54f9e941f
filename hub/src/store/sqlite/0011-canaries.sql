-- The last canary of each env, as JSON; while `ended_at` is missing, it runs.
CREATE TABLE canaries (
    project TEXT NOT NULL, env TEXT NOT NULL, document TEXT NOT NULL, ended_at TEXT,
    PRIMARY KEY (project, env), FOREIGN KEY (project, env) REFERENCES envs (project, name)
) STRICT;
