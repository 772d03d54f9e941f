---
auth: public
condition: "1 +"
---
SELECT 1
