---
params:
  orderId: {type: string, required: true}
---
SELECT :orderId, :event.id, :event.attempt, :event.publishedAt, :event.causedBy, :event.topic, :event.depth
