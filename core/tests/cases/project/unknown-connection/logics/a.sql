---
auth: public
connection: archve
---
SELECT 1
