-- JSON has no order

-- sqlite
-- refused: a column of type array cannot be ordered

-- postgres
-- refused: a column of type array cannot be ordered

-- mysql
-- refused: a column of type array cannot be ordered
