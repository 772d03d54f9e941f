---
auth: public
---
DROP TABLE a
