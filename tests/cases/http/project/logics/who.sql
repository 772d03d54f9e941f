---
roles: [app]
---
SELECT :auth.sub AS sub, :env AS env
