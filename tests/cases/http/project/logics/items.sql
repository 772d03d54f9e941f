---
auth: public
---
SELECT id, name FROM items WHERE id IN ('1', '2') ORDER BY id
