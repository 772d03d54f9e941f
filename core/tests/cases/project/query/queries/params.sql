---
params: {custmer: {type: string}, unused: {type: int}, now: {type: int}}
---
SELECT *
FROM users WHERE id = :customer AND at < :now
