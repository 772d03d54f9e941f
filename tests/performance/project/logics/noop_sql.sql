---
auth: public
params: {number: {type: int}}
---
SELECT :number AS number
