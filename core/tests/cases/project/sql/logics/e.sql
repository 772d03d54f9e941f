---
auth: public
---
SELECT 'into outfile' AS a /* INTO OUTFILE 'x' */;
SELECT 1
  INTO /* here */ OutFile '/tmp/x'
