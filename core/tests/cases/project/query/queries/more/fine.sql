---
---
SELECT 1
