---
roles: [x]
publish:
  - {topic: echoed, mapping: {id: :env}}
---
SELECT 1
