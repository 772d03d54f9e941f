---
auth: public
params:
  used: {type: int}
  unused: {type: int}
---
SELECT :used
