---
auth: public
---
SELECT abs(-9223372036854775807 - 1) AS n
