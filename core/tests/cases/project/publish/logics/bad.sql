---
auth: public
params:
  order: {type: string, required: true}
  note: {type: string}
  count: {type: int}
transaction: false
publish:
  - {topic: plced, mapping: {id: :order}}
  - topic: placed
    mapping: {id: :note, custmer: :order, total: :count, at: :nw}
  - {topic: placed, mapping: {customer: ":auth.sub", total: totl, id: sum}}
  - {topic: placed}
  - {mapping: {id: 7}, if: always}
---
UPDATE orders SET customer = :note WHERE id = :order;
SELECT id, total FROM orders WHERE id = :order
