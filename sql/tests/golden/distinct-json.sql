-- JSON cannot be compared

-- sqlite
-- refused: a column of type json cannot be compared

-- postgres
-- refused: a column of type json cannot be compared

-- mysql
-- refused: a column of type json cannot be compared
