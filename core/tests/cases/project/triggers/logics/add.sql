---
auth: public
---
INSERT INTO orders (id, customer) VALUES ('a', 'b');
DELETE FROM orders
