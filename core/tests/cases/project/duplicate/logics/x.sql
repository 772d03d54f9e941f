---
auth: public
---
SELECT 1
