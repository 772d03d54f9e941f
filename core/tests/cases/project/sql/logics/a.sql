---
auth: public
---
SELECT 'open
