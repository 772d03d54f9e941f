---
description: The products that were sold most.
auth: public
params:
  limit: {type: int, default: 10, min: 1, max: 100}
---
SELECT p.id, p.name, SUM(i.quantity) AS sold, SUM(i.quantity * i.priceCents) AS revenueCents
FROM orderItems AS i
JOIN products AS p ON p.id = i.productId
GROUP BY p.id, p.name
ORDER BY sold DESC, p.id
LIMIT :limit
