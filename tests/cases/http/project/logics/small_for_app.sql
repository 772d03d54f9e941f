---
roles: [app]
condition: request.params.n < 10
params: {n: {type: int, default: 1}}
---
SELECT :n AS n
