-- no sum of text

-- sqlite
-- refused: sum cannot be computed of a column of type string

-- postgres
-- refused: sum cannot be computed of a column of type string

-- mysql
-- refused: sum cannot be computed of a column of type string
