---
auth: authenticated
---
SELECT :auth.sub AS sub, :auth.roles AS roles
