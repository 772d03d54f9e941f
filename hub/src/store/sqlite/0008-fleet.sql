-- When a Bridge saw a key last, to the minute.
ALTER TABLE api_keys ADD COLUMN last_used_at TEXT;
-- A key that was exchanged signs on beside the new one, until it is retired; then its private half is gone.
ALTER TABLE signing_keys ADD COLUMN replaced_at TEXT;
ALTER TABLE signing_keys ADD COLUMN retired_at TEXT;
