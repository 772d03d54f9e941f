---
description: The newest notes.
auth: public
params:
  limit: {type: int, default: 10, min: 1, max: 100}
---
SELECT id, text, created_at FROM notes ORDER BY created_at DESC, id DESC LIMIT :limit
