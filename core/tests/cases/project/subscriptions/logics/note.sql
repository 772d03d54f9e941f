---
params:
  orderId: {type: string, required: true}
  total: {type: int}
  other: {type: string, required: true}
  free: {type: string}
---
SELECT :orderId, :total, :other, :free, :event.ide
