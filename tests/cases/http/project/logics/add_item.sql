---
roles: [app]
params:
  id: {type: string, required: true, maxLength: 20}
  name: {type: string}
  parent: {type: string}
---
INSERT INTO items (id, name, parent) VALUES (:id, :name, :parent)
