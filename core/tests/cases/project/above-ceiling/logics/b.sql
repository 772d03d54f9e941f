---
auth: public
timeout: 6m
---
SELECT 1
