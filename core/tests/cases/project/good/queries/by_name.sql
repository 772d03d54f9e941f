---
description: Customers of a name
params: {name: {type: string, required: true}}
result: {much: int}
---
SELECT * FROM customers WHERE email = :name AND :auth.sub IS NOT NULL
