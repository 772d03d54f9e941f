---
roles: [app, authenticated]
condition: size(request.auth.roles) > 0 && request.auth.roles.exists(r, r == "app")
transaction: true
timeout: 1s
params:
  id: {type: string, required: true}
---
-- :nothing
UPDATE customers SET seen = :now WHERE id = :id;
SELECT * FROM customers WHERE id = :id OR id = :auth.sub OR :env = 'it''s :x';
