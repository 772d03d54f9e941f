-- Which releases an env has run, in the order of its pointers. Nothing is known of the moves before this one but the last.
CREATE TABLE pointer_moves (
    project TEXT NOT NULL, env TEXT NOT NULL, sequence INTEGER NOT NULL, release TEXT NOT NULL REFERENCES releases (id),
    how TEXT NOT NULL, moved_at TEXT NOT NULL,
    PRIMARY KEY (project, env, sequence), FOREIGN KEY (project, env) REFERENCES envs (project, name)
) STRICT;
INSERT INTO pointer_moves (project, env, sequence, release, how, moved_at)
    SELECT project, env, sequence, release, 'apply', issued_at FROM pointers;
-- Releases that are kept to go back to.
CREATE TABLE release_pins (
    release TEXT PRIMARY KEY REFERENCES releases (id), project TEXT NOT NULL REFERENCES projects (name),
    reason TEXT NOT NULL, pinned_at TEXT NOT NULL
) STRICT;
-- What components may have at most, as JSON.
CREATE TABLE ceilings (
    project TEXT PRIMARY KEY REFERENCES projects (name), document TEXT NOT NULL, updated_at TEXT NOT NULL
) STRICT;
