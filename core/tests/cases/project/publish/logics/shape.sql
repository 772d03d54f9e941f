---
auth: public
publish: {topic: placed}
---
SELECT 1
