-- Keys that tokens of end users are signed with. The current one has no `ends_at`; one that was replaced holds until then. A new one
-- signs from `signs_from`, when every Bridge has it.
CREATE TABLE user_keys (
    project TEXT COLLATE "C" NOT NULL, env TEXT COLLATE "C" NOT NULL, id TEXT COLLATE "C" NOT NULL,
    public TEXT COLLATE "C" NOT NULL, private BYTEA NOT NULL, created_at TEXT COLLATE "C" NOT NULL,
    signs_from TEXT COLLATE "C" NOT NULL, ends_at TEXT COLLATE "C",
    PRIMARY KEY (project, env, id), FOREIGN KEY (project, env) REFERENCES envs (project, name)
);
