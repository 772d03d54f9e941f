---
auth: public
roles: [app]
---
SELECT 1
