---
auth: public
publish: [{topic: a}]
---
SELECT :event.id
