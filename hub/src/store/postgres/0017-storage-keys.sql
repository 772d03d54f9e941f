-- What Bridges of an env sign uploads in parts with, sealed. None in rows from before, until a Hub has started.
ALTER TABLE envs ADD COLUMN storage_key BYTEA;
