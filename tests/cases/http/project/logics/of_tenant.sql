---
auth: authenticated
condition: request.auth.type == 'user' && request.auth.claims.tenant == request.params.tenant
params: {tenant: {type: string, required: true}}
---
SELECT 1 AS n
