---
auth: authenticated
params:
  customer: {type: string, required: true}
  why: {type: string, default: asked}
publish:
  - topic: placed
    mapping: {id: id, customer: :why, total: total, at: :now}
  - {topic: asked}
---
INSERT INTO orders (id, customer) VALUES ('a', :customer);
SELECT * FROM orders WHERE customer = :customer
