---
auth: public
---
-- nothing
