-- Keys that tokens of end users are signed with. The current one has no `ends_at`; one that was replaced holds until then. A new one
-- signs from `signs_from`, when every Bridge has it.
CREATE TABLE user_keys (
    project TEXT NOT NULL, env TEXT NOT NULL, id TEXT NOT NULL, public TEXT NOT NULL, private BLOB NOT NULL,
    created_at TEXT NOT NULL, signs_from TEXT NOT NULL, ends_at TEXT,
    PRIMARY KEY (project, env, id), FOREIGN KEY (project, env) REFERENCES envs (project, name)
) STRICT;
