---
auth: public
publish: [{topic: a}]
---
SELECT 1
