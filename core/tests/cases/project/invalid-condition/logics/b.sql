---
auth: public
condition: "request.auth.rols == 1"
---
SELECT 1
