-- The shop's data, made by arithmetic: the same rows on every machine.
-- 1,000 products, 10,000 customers, 50,000 orders with one to four items each.

INSERT INTO products (id, name, category, priceCents, stock)
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
SELECT printf('p-%04d', i),
       (CASE (i * 7) % 6 WHEN 0 THEN 'Small' WHEN 1 THEN 'Blue' WHEN 2 THEN 'Quiet' WHEN 3 THEN 'Folding' WHEN 4 THEN 'Old' ELSE 'Bright' END)
       || ' ' ||
       (CASE i % 5 WHEN 0 THEN 'Atlas' WHEN 1 THEN 'Trowel' WHEN 2 THEN 'Kettle' WHEN 3 THEN 'Ukulele' ELSE 'Kite' END)
       || ' No. ' || i,
       CASE i % 5 WHEN 0 THEN 'books' WHEN 1 THEN 'garden' WHEN 2 THEN 'kitchen' WHEN 3 THEN 'music' ELSE 'toys' END,
       199 + (i * 7919) % 19800,
       -- The first product is sold out: it shows what a refusal looks like.
       CASE WHEN i = 1 THEN 0 ELSE 1000 + (i * 104729) % 9000 END
FROM n;

INSERT INTO customers (id, name, email, createdAt)
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
SELECT printf('c-%05d', i),
       (CASE (i * 13) % 8 WHEN 0 THEN 'Ada' WHEN 1 THEN 'Bela' WHEN 2 THEN 'Chidi' WHEN 3 THEN 'Dana' WHEN 4 THEN 'Emil' WHEN 5 THEN 'Fatma' WHEN 6 THEN 'Goro' ELSE 'Hanna' END)
       || ' ' ||
       (CASE (i * 31) % 7 WHEN 0 THEN 'Abbas' WHEN 1 THEN 'Berg' WHEN 2 THEN 'Costa' WHEN 3 THEN 'Doyle' WHEN 4 THEN 'Endo' WHEN 5 THEN 'Farkas' ELSE 'Gruber' END),
       printf('customer%05d@example.com', i),
       strftime('%Y-%m-%dT%H:%M:%S.000000Z', 1735689600 + (i * 2654435761) % 31536000, 'unixepoch')
FROM n;

INSERT INTO orders (id, customerId, totalCents, createdAt)
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)
SELECT printf('o-%06d', i),
       printf('c-%05d', 1 + (i * 40503) % 10000),
       0,
       strftime('%Y-%m-%dT%H:%M:%S.000000Z', 1735689600 + (i * 2246822519) % 31536000, 'unixepoch')
FROM n;

INSERT INTO orderItems (id, orderId, productId, quantity, priceCents)
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000),
     line(l) AS (VALUES (1), (2), (3), (4))
SELECT printf('i-%06d-%d', i, l), printf('o-%06d', i), p.id, 1 + (i * l * 31) % 3, p.priceCents
FROM n
JOIN line ON l <= 1 + i % 4
-- Squaring makes low numbers more frequent, so that some products sell better than others.
JOIN products AS p ON p.id = printf('p-%04d', 1 + (((i * 7919 + l * 104729) % 1000) * ((i * 7919 + l * 104729) % 1000)) / 1000);

UPDATE orders SET totalCents = (SELECT SUM(quantity * priceCents) FROM orderItems WHERE orderId = orders.id);

INSERT INTO shippingRates (id, country, maxGrams, priceCents)
WITH zones(country, base) AS (VALUES ('AT', 390), ('CH', 690), ('DE', 290), ('FR', 490), ('PL', 450)),
     parcels(maxGrams, factor) AS (VALUES (1000, 1), (5000, 2), (20000, 4))
SELECT printf('%s-%05d', country, maxGrams), country, maxGrams, base * factor
FROM zones CROSS JOIN parcels;
