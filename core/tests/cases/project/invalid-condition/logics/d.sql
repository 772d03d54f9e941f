---
auth: public
condition: |
  request.params.all(a, a.all(b, b))
---
SELECT 1
