---
---
CREATE TABLE a (b)
