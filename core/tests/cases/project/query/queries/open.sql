---
---
SELECT 'a
