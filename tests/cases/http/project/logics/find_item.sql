---
auth: public
params: {id: {type: string, required: true}}
---
SELECT name FROM items WHERE id = :id
