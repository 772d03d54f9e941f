-- The last canary of each env, as JSON; while `ended_at` is missing, it runs.
CREATE TABLE canaries (
    project TEXT COLLATE "C" NOT NULL, env TEXT COLLATE "C" NOT NULL, document TEXT COLLATE "C" NOT NULL,
    ended_at TEXT COLLATE "C",
    PRIMARY KEY (project, env), FOREIGN KEY (project, env) REFERENCES envs (project, name)
);
