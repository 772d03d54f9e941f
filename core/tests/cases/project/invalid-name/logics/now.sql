---
roles: ["a b"]
params: {now: {type: string}}
---
SELECT :now
