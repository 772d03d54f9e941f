---
auth: public
condition: resource.id == "1"
---
SELECT 1
