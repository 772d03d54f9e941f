-- Which releases an env has run, in the order of its pointers. Nothing is known of the moves before this one but the last.
CREATE TABLE pointer_moves (
    project TEXT COLLATE "C" NOT NULL, env TEXT COLLATE "C" NOT NULL, sequence BIGINT NOT NULL,
    release TEXT COLLATE "C" NOT NULL REFERENCES releases (id), how TEXT COLLATE "C" NOT NULL, moved_at TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (project, env, sequence), FOREIGN KEY (project, env) REFERENCES envs (project, name)
);
INSERT INTO pointer_moves (project, env, sequence, release, how, moved_at)
    SELECT project, env, sequence, release, 'apply', issued_at FROM pointers;
-- Releases that are kept to go back to.
CREATE TABLE release_pins (
    release TEXT COLLATE "C" PRIMARY KEY REFERENCES releases (id), project TEXT COLLATE "C" NOT NULL REFERENCES projects (name),
    reason TEXT COLLATE "C" NOT NULL, pinned_at TEXT COLLATE "C" NOT NULL
);
-- What components may have at most, as JSON.
CREATE TABLE ceilings (
    project TEXT COLLATE "C" PRIMARY KEY REFERENCES projects (name), document TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL
);
