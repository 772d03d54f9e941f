---
auth: authenticated
condition: request.params.itm == 1
params: {item: {type: int}}
---
SELECT :item
