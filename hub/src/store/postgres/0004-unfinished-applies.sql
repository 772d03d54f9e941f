-- Envs whose databases an apply began to change, and whose pointer has not moved since.
CREATE TABLE unfinished_applies (
    project TEXT COLLATE "C" NOT NULL, env TEXT COLLATE "C" NOT NULL, begun_at TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (project, env), FOREIGN KEY (project, env) REFERENCES envs (project, name)
);
