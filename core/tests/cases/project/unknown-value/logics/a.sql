---
auth: pubic
---
SELECT 1
