---
description: The second fails where the name is taken, and then the first is not there either.
roles: [app]
params:
  id: {type: string, required: true}
  name: {type: string, required: true}
---
INSERT INTO items (id, name) VALUES (:id, :id);
INSERT INTO items (id, name) VALUES (:id || '-2', :name);
SELECT id FROM items WHERE id = :id
