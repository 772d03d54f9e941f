---
auth: public
params:
  order: {type: string, required: true}
publish: [{topic: placed, mapping: {id: id}}]
---
DELETE FROM orders WHERE id = :order
