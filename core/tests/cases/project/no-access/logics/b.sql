---
description: given
---
SELECT 1
