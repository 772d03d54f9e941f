// Runs SQL as its input says. Params that are no plain JSON: `{"decimal": "1.20"}`, `{"bytes": "…"}`, `{"json": …}` and
// `{"broken": true}`, text that is none.

#include <santokit.h>
#include <string.h>

static json_t *run(stk_db *db, const json_t *step);

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static stk_value param(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_TRUE:
    case JSON_FALSE:
        return stk_bool(json_is_true(value));
    case JSON_INTEGER:
        return stk_int(json_integer_value(value));
    case JSON_REAL:
        return stk_float(json_real_value(value));
    case JSON_STRING:
        return stk_text(json_string_value(value));
    case JSON_OBJECT:
        if (json_object_get(value, "decimal") != NULL) return stk_decimal(text_of(value, "decimal"));
        if (json_object_get(value, "broken") != NULL) return stk_text("a\xff");
        if (json_object_get(value, "bytes") != NULL) {
            const char *bytes = text_of(value, "bytes");
            return stk_bytes(bytes, strlen(bytes));
        }
        return stk_json(json_object_get(value, "json"));
    default:
        return stk_null();
    }
}

// The statement of a step with its params, for one of the functions below.
#define STATEMENT(step) text_of(step, "sql"), params(step), json_array_size(json_object_get(step, "params"))

static const stk_value *params(const json_t *step)
{
    const json_t *values = json_object_get(step, "params");
    stk_value *all = stk_alloc((json_array_size(values) + 1) * sizeof *all);
    for (size_t i = 0; i < json_array_size(values); i++) all[i] = param(json_array_get(values, i));
    return all;
}

static json_t *all_rows(stk_rows *rows)
{
    json_t *all = json_array();
    while (stk_next(rows)) json_array_append_new(all, stk_row_json(rows));
    return all;
}

// The sum of the first column and the number of rows, fetched in parts.
static json_t *sum(stk_rows *rows)
{
    json_int_t total = 0, count = 0;
    while (stk_next(rows)) {
        total += stk_get_int(rows, stk_column_name(rows, 0));
        count++;
    }
    return json_pack("{s:I,s:I}", "sum", total, "rows", count);
}

// One cell as a type of C: `int`, `float`, `bool`, `text`, `bytes` (their number), `json` or `null` (whether it is).
static json_t *cell(stk_rows *rows, const char *column, const char *as)
{
    if (strcmp(as, "int") == 0) return json_integer(stk_get_int(rows, column));
    if (strcmp(as, "float") == 0) return json_real(stk_get_float(rows, column));
    if (strcmp(as, "bool") == 0) return json_boolean(stk_get_bool(rows, column));
    if (strcmp(as, "bytes") == 0) return json_integer((json_int_t)stk_get_bytes(rows, column).length);
    if (strcmp(as, "json") == 0) return stk_get_json(rows, column);
    if (strcmp(as, "null") == 0) return json_boolean(stk_is_null(rows, column));
    const char *text = stk_get_text(rows, column);
    return text == NULL ? json_null() : json_string(text);
}

static json_t *run_all(stk_db *db, const json_t *steps)
{
    json_t *done = json_array();
    for (size_t i = 0; i < json_array_size(steps); i++) {
        json_t *answer = run(db, json_array_get(steps, i));
        if (stk_failed()) return NULL;
        json_array_append_new(done, answer);
    }
    return done;
}

// Steps in a transaction, which ends with `commit`, `rollback`, `open` (nothing), `error` or `trap`.
static json_t *transaction(stk_db *db, const json_t *step)
{
    const char *end = text_of(step, "end");
    stk_tx *tx = stk_begin(db);
    json_t *done = run_all(db, json_object_get(step, "steps"));
    if (strcmp(end, "commit") == 0 && !stk_commit(tx)) return NULL;
    if (strcmp(end, "rollback") == 0) stk_rollback(tx);
    if (strcmp(end, "twice") == 0 && stk_rollback(tx)) stk_rollback(tx);
    if (strcmp(end, "error") == 0) return stk_error("REFUSED", "asked to refuse", NULL);
    if (strcmp(end, "trap") == 0) STK_PANIC("asked to panic in a transaction");
    return done;
}

typedef struct work {
    const json_t *steps;
    bool wanted;
    json_t *done;
} work;

static bool do_work(stk_db *db, void *data)
{
    work *work = data;
    work->done = run_all(db, work->steps);
    return work->wanted;
}

// Steps in the form with a function; `end: no` makes it answer false.
static json_t *function_form(stk_db *db, const json_t *step)
{
    work work = {json_object_get(step, "steps"), strcmp(text_of(step, "end"), "no") != 0, NULL};
    bool committed = stk_transaction(db, do_work, &work);
    return json_pack("{s:b,s:o*}", "committed", committed, "done", work.done);
}

// How the error of a step looks to the logic, and that it can go on after it.
static json_t *failure(stk_db *db, const json_t *step)
{
    json_t *answer = run(db, step);
    if (!stk_failed()) return json_pack("{s:o}", "ok", answer);
    const stk_failure *error = stk_last_error();
    json_t *told = json_pack("{s:i,s:s,s:s,s:s,s:b,s:b}", "kind", error->kind, "code", error->code, "message", error->message,
                             "constraint", error->constraint, "retryable", error->retryable, "unique", stk_is_unique_violation());
    stk_clear_error();
    return told;
}

static json_t *run(stk_db *db, const json_t *step)
{
    const char *op = text_of(step, "op");
    if (strcmp(op, "engine") == 0) return json_string(stk_engine(db));
    if (strcmp(op, "query") == 0) return all_rows(stk_query(db, STATEMENT(step)));
    if (strcmp(op, "execute") == 0) return json_integer(stk_execute(db, STATEMENT(step)));
    if (strcmp(op, "cursor") == 0) return sum(stk_cursor(db, STATEMENT(step)));
    if (strcmp(op, "one") == 0) return stk_row_json(stk_query_one(db, STATEMENT(step)));
    if (strcmp(op, "optional") == 0) {
        stk_rows *row = stk_query_optional(db, STATEMENT(step));
        return row == NULL ? json_null() : stk_row_json(row);
    }
    if (strcmp(op, "cell") == 0) return cell(stk_query_one(db, STATEMENT(step)), text_of(step, "column"), text_of(step, "as"));
    if (strcmp(op, "columns") == 0) {
        stk_rows *rows = stk_query(db, STATEMENT(step));
        json_t *columns = json_array();
        for (size_t i = 0; i < stk_column_count(rows); i++) {
            json_array_append_new(columns, json_pack("[s,s]", stk_column_name(rows, i), stk_column_type(rows, i)));
        }
        return columns;
    }
    if (strcmp(op, "transaction") == 0) return transaction(db, step);
    if (strcmp(op, "function") == 0) return function_form(db, step);
    if (strcmp(op, "failure") == 0) return failure(db, json_object_get(step, "step"));
    if (strcmp(op, "open") == 0) return stk_open(text_of(step, "connection")) == NULL ? NULL : json_true();
    return stk_error("UNKNOWN_OP", stk_format("no such op: %s", op), NULL);
}

json_t *stk_handle(const json_t *input)
{
    stk_db *db = stk_open(text_of(input, "connection"));
    return run(db, input);
}
