---
auth: public
params: {n: {type: int, required: true}}
timeout: 30s
---
SELECT hex(zeroblob(:n)) AS text
