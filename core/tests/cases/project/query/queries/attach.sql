---
---
ATTACH DATABASE :now AS other
