---
roles: [admin]
---
SELECT 'admin' AS who
