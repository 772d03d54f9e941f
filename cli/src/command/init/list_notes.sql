---
description: The newest notes.
auth: public
params:
  limit: {type: int, default: 10, min: 1, max: 100}
---
SELECT id, text, createdAt FROM notes ORDER BY createdAt DESC, id DESC LIMIT :limit
