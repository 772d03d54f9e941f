---
auth: public
params:
  itemId: {type: string}
---
SELECT * FROM items
WHERE id = :itmId AND owner = :auth.sbu AND at < :now -- :comment
  AND note = ':text' AND x::int = :itemId
