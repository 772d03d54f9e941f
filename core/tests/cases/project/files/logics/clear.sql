---
auth: public
---
INSERT INTO products (id, name) VALUES ('a', 'b');
DELETE FROM products WHERE name = 'old'
