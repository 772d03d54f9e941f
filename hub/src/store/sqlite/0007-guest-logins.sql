-- Users that the Hub has made, or is about to make, on the servers of connections. `place` says which server and database; `powers` is
-- canonical JSON. Not there yet while `made_at` is null, not needed any more once `retired_at` is set. `address` is the sealed URL
-- by which one is dropped whose connection is gone or leads elsewhere.
CREATE TABLE guest_logins (
    number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, project TEXT NOT NULL, env TEXT NOT NULL,
    connection TEXT NOT NULL, engine TEXT NOT NULL, place TEXT NOT NULL, powers TEXT NOT NULL, password BLOB NOT NULL,
    created_at TEXT NOT NULL, made_at TEXT, retired_at TEXT, address BLOB,
    FOREIGN KEY (project, env) REFERENCES envs (project, name)
) STRICT;
CREATE INDEX guest_logins_of_env ON guest_logins (project, env);
