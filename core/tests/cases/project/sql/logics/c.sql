---
auth: public
---
BEGIN;
UPDATE a SET b = 1;
COMMIT;
