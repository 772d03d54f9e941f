---
description: a quote
---
SELECT 1
