---
auth: public
condition: sizee(request.auth.roles) > 0
---
SELECT 1
