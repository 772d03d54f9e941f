---
description: nobody
---
SELECT 1
