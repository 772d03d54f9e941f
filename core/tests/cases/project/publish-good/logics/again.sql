---
params:
  id: {type: string, required: true}
publish: [{topic: asked}, {topic: placed, mapping: {id: :event.id, customer: ":auth.sub"}}]
---
DELETE FROM orders WHERE id = :id
