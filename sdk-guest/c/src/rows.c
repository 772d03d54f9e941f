#include "rows.h"

#include "number.h"
#include "packed.h"

#include <stdlib.h>
#include <string.h>

/* How much is fetched at a time: enough to make the border cheap, little enough to stay small in memory. */
#define BATCH_ROWS 500
#define BATCH_BYTES (256 * 1024)

struct stk_rows {
    stk_open_handle open;
    /* Where the next batch comes from; a whole result has none. */
    bool has_cursor;
    stk_host_cursor cursor;

    size_t column_count;
    const char **names;
    const char **types;

    uint8_t *batch;
    stk_packed packed;
    uint32_t rows_left;

    /* The current row. */
    bool has_row;
    stk_value *cells;
    /* Text that was asked for, ended by a zero, in `scratch`. */
    const char **texts;
    char *scratch;
    size_t scratch_size;
    size_t scratch_used;
};

static void take_columns(stk_rows *rows, santokit_sql_types_column_t *columns, size_t count)
{
    rows->column_count = count;
    rows->names = stk_alloc((count + 1) * sizeof *rows->names);
    rows->types = stk_alloc((count + 1) * sizeof *rows->types);
    rows->texts = stk_alloc((count + 1) * sizeof *rows->texts);
    rows->cells = stk_alloc((count + 1) * sizeof *rows->cells);
    for (size_t i = 0; i < count; i++) {
        rows->names[i] = stk_from_host(&columns[i].name);
        rows->types[i] = stk_from_host(&columns[i].type_name);
    }
    if (count > 0) free(columns);
}

static bool take_batch(stk_rows *rows, santokit_sql_types_batch_t *batch)
{
    rows->batch = batch->data.len > 0 ? batch->data.ptr : NULL;
    rows->packed = (stk_packed){batch->data.ptr, batch->data.len};
    rows->rows_left = batch->rows;
    if (batch->format == STK_PACKED_FORMAT) return true;
    rows->rows_left = 0;
    stk_fail_sql(STK_DECODE, stk_format("the host packs rows in format %u, this version reads format %u: build the logic "
                                        "with a newer stk",
                                        (unsigned)batch->format, STK_PACKED_FORMAT));
    return false;
}

stk_rows *stk_rows_of_result(santokit_sql_types_packed_rows_t *packed)
{
    stk_rows *rows = stk_alloc(sizeof *rows);
    take_columns(rows, packed->columns.ptr, packed->columns.len);
    return take_batch(rows, &packed->batch) ? rows : NULL;
}

static void drop_cursor(stk_open_handle *self)
{
    stk_rows *rows = (stk_rows *)self;
    rows->has_cursor = false;
    rows->cursor.drop(rows->cursor.handle);
}

stk_rows *stk_rows_of_cursor(stk_host_cursor cursor, santokit_sql_types_column_t *columns, size_t column_count)
{
    stk_rows *rows = stk_alloc(sizeof *rows);
    rows->has_cursor = true;
    rows->cursor = cursor;
    stk_remember(&rows->open, drop_cursor);
    take_columns(rows, columns, column_count);
    return rows;
}

static void let_go_of_batch(stk_rows *rows)
{
    free(rows->batch);
    rows->batch = NULL;
    rows->packed = (stk_packed){NULL, 0};
    rows->rows_left = 0;
    rows->has_row = false;
}

void stk_close(stk_rows *rows)
{
    if (rows == NULL) return;
    let_go_of_batch(rows);
    free(rows->scratch);
    rows->scratch = NULL;
    rows->scratch_size = 0;
    if (rows->has_cursor) stk_forget(&rows->open);
}

/* Fetches until there is a row. False at the end or after an error. */
static bool fetch(stk_rows *rows)
{
    while (rows->rows_left == 0) {
        if (!rows->has_cursor) return false;
        let_go_of_batch(rows);
        stk_host_batch next;
        santokit_sql_types_error_t error;
        if (!rows->cursor.next_batch(rows->cursor.handle, BATCH_ROWS, BATCH_BYTES, &next, &error)) {
            stk_fail_host(&error);
            return false;
        }
        if (!next.is_some || !take_batch(rows, &next.batch)) return false;
    }
    return true;
}

bool stk_has_more(stk_rows *rows)
{
    return fetch(rows);
}

bool stk_next(stk_rows *rows)
{
    if (!stk_usable(rows)) return false;
    rows->has_row = false;
    if (!fetch(rows)) {
        stk_close(rows);
        return false;
    }
    rows->rows_left--;
    size_t before = rows->packed.left;
    for (size_t i = 0; i < rows->column_count; i++) {
        stk_packed_problem problem = stk_packed_cell(&rows->packed, &rows->cells[i]);
        if (problem != NULL) {
            stk_fail_sql(STK_DECODE, problem);
            stk_close(rows);
            return false;
        }
        rows->texts[i] = NULL;
    }
    /* Enough for every cell's text with its zero, so that it never moves while the row is the current one. */
    size_t most = before - rows->packed.left + rows->column_count;
    if (most > rows->scratch_size) {
        rows->scratch = stk_grow(rows->scratch, most);
        rows->scratch_size = most;
    }
    rows->scratch_used = 0;
    rows->has_row = true;
    return true;
}

/* ---- Columns ---- */

size_t stk_column_count(const stk_rows *rows)
{
    return rows == NULL ? 0 : rows->column_count;
}

const char *stk_column_name(const stk_rows *rows, size_t index)
{
    return index < stk_column_count(rows) ? rows->names[index] : NULL;
}

const char *stk_column_type(const stk_rows *rows, size_t index)
{
    return index < stk_column_count(rows) ? rows->types[index] : NULL;
}

int stk_column_index(const stk_rows *rows, const char *name)
{
    for (size_t i = 0; name != NULL && i < stk_column_count(rows); i++) {
        if (strcmp(rows->names[i], name) == 0) return (int)i;
    }
    return -1;
}

/* ---- Cells ---- */

/* A column of the current row; -1 with an error where there is none. */
static int find(stk_rows *rows, const char *column)
{
    if (!stk_usable(rows)) return -1;
    if (!rows->has_row) {
        stk_fail_sql(STK_INVALID, "there is no current row: call stk_next before the first");
        return -1;
    }
    int index = stk_column_index(rows, column);
    if (index < 0) {
        stk_fail_sql(STK_DECODE, stk_format("there is no column %s", column == NULL ? "(NULL)" : column));
    }
    return index;
}

static void does_not_fit(const char *column, const char *wanted, const stk_value *cell)
{
    static const char *const found[] = {"NULL", "a boolean", "a whole number", "a number", "text", "bytes", "text of a type"};
    stk_fail_sql(STK_DECODE, stk_format("column %s: %s was asked for, and there is %s", column, wanted, found[cell->type]));
}

stk_value stk_cell(stk_rows *rows, size_t index)
{
    if (!stk_usable(rows)) return stk_null();
    if (rows->has_row && index < rows->column_count) return rows->cells[index];
    stk_fail_sql(STK_INVALID, "there is no such cell: the column is beyond the last, or stk_next was not called");
    return stk_null();
}

bool stk_is_null(stk_rows *rows, const char *column)
{
    int index = find(rows, column);
    return index >= 0 && rows->cells[index].type == STK_NULL;
}

int64_t stk_get_int(stk_rows *rows, const char *column)
{
    int index = find(rows, column);
    if (index < 0) return 0;
    const stk_value *cell = &rows->cells[index];
    int64_t number;
    if (cell->type == STK_INT) return cell->as.integer;
    if (cell->type == STK_TYPED && stk_parse_int(cell->as.bytes, &number)) return number;
    does_not_fit(column, "a whole number", cell);
    return 0;
}

double stk_get_float(stk_rows *rows, const char *column)
{
    int index = find(rows, column);
    if (index < 0) return 0;
    const stk_value *cell = &rows->cells[index];
    double number;
    if (cell->type == STK_FLOAT) return cell->as.number;
    if (cell->type == STK_INT) return (double)cell->as.integer;
    if (cell->type == STK_TYPED && stk_parse_float(cell->as.bytes, &number)) return number;
    does_not_fit(column, "a number", cell);
    return 0;
}

bool stk_get_bool(stk_rows *rows, const char *column)
{
    int index = find(rows, column);
    if (index < 0) return false;
    const stk_value *cell = &rows->cells[index];
    if (cell->type == STK_BOOL) return cell->as.boolean;
    if (cell->type == STK_INT && (cell->as.integer == 0 || cell->as.integer == 1)) return cell->as.integer == 1;
    does_not_fit(column, "a boolean", cell);
    return false;
}

const char *stk_get_text(stk_rows *rows, const char *column)
{
    int index = find(rows, column);
    if (index < 0) return NULL;
    const stk_value *cell = &rows->cells[index];
    if (cell->type == STK_NULL) return NULL;
    if (cell->type != STK_TEXT && cell->type != STK_TYPED) {
        does_not_fit(column, "text", cell);
        return NULL;
    }
    if (rows->texts[index] == NULL) {
        char *text = rows->scratch + rows->scratch_used;
        size_t length = cell->as.bytes.length;
        if (length > 0) memcpy(text, cell->as.bytes.data, length);
        text[length] = '\0';
        rows->scratch_used += length + 1;
        rows->texts[index] = text;
    }
    return rows->texts[index];
}

stk_bytes_view stk_get_bytes(stk_rows *rows, const char *column)
{
    int index = find(rows, column);
    if (index < 0) return (stk_bytes_view){NULL, 0};
    const stk_value *cell = &rows->cells[index];
    if (cell->type == STK_TEXT || cell->type == STK_BYTES || cell->type == STK_TYPED) return cell->as.bytes;
    does_not_fit(column, "bytes", cell);
    return (stk_bytes_view){NULL, 0};
}

/* ---- JSON ---- */

static json_t *parse(const char *column, stk_bytes_view text)
{
    json_error_t problem;
    json_t *value = json_loadb((const char *)text.data, text.length, JSON_DECODE_ANY | JSON_ALLOW_NUL, &problem);
    if (value == NULL) stk_fail_sql(STK_DECODE, stk_format("column %s: JSON: %s", column, problem.text));
    return value;
}

json_t *stk_get_json(stk_rows *rows, const char *column)
{
    int index = find(rows, column);
    if (index < 0) return NULL;
    const stk_value *cell = &rows->cells[index];
    if (cell->type == STK_TEXT || cell->type == STK_TYPED) return parse(column, cell->as.bytes);
    does_not_fit(column, "JSON", cell);
    return NULL;
}

static bool is_json(const stk_value *cell)
{
    const char *name = (const char *)cell->type_name.data;
    size_t length = cell->type_name.length;
    return (length == 4 && memcmp(name, "json", 4) == 0) || (length == 5 && memcmp(name, "array", 5) == 0);
}

static json_t *cell_json(const char *column, const stk_value *cell)
{
    switch (cell->type) {
    case STK_NULL:
        return json_null();
    case STK_BOOL:
        return json_boolean(cell->as.boolean);
    case STK_INT:
        return json_integer(cell->as.integer);
    case STK_FLOAT:
        return json_real(cell->as.number);
    case STK_TEXT:
        return json_stringn((const char *)cell->as.bytes.data, cell->as.bytes.length);
    case STK_TYPED:
        if (is_json(cell)) return parse(column, cell->as.bytes);
        return json_stringn((const char *)cell->as.bytes.data, cell->as.bytes.length);
    default:
        return NULL;
    }
}

json_t *stk_row_json(stk_rows *rows)
{
    if (!stk_usable(rows)) return NULL;
    if (!rows->has_row) {
        stk_fail_sql(STK_INVALID, "there is no current row: call stk_next before the first");
        return NULL;
    }
    json_t *row = json_object();
    for (size_t i = 0; i < rows->column_count; i++) {
        json_t *value = cell_json(rows->names[i], &rows->cells[i]);
        if (value == NULL || json_object_set_new(row, rows->names[i], value) != 0) {
            stk_fail_sql(STK_DECODE, stk_format("column %s has no JSON form", rows->names[i]));
            return NULL;
        }
    }
    return row;
}
