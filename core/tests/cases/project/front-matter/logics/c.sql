---
auth: [
---
SELECT 1
