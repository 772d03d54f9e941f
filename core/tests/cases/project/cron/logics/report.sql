---
auth: public
---
SELECT 1 AS n
