---
auth: public
params: {n: {type: int, required: true}}
---
SELECT :n AS n
