-- Which releases an env has run, in the order of its pointers. Nothing is known of the moves before this one but the last.
CREATE TABLE pointer_moves (
    project TEXT NOT NULL, env TEXT NOT NULL, sequence INTEGER NOT NULL, release TEXT NOT NULL REFERENCES releases (id),
    how TEXT NOT NULL, moved_at TEXT NOT NULL,
    PRIMARY KEY (project, env, sequence), FOREIGN KEY (project, env) REFERENCES envs (project, name)
) STRICT;
INSERT INTO pointer_moves (project, env, sequence, release, how, moved_at)
    SELECT project, env, sequence, release, 'apply', issued_at FROM pointers;
PRAGMA user_version = 2;
