INSERT IGNORE INTO `it``ems` (a) VALUES (?) # end
