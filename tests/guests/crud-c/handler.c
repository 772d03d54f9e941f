// Asks tables as its input says, step by step, and answers what each step came to.

#include <santokit.h>
#include <string.h>

// The transactions that are open, the innermost last.
static stk_tx *transactions[4];
static size_t transaction_count;

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

static bool is(const char *op, const char *name)
{
    return strcmp(op, name) == 0;
}

static json_t *number(int64_t count)
{
    return json_integer(count);
}

static json_t *page(const stk_page *found)
{
    if (found == NULL) return NULL;
    json_t *total = found->total < 0 ? json_null() : json_integer(found->total);
    return json_pack("{s:O,s:s?,s:o}", "rows", found->rows, "nextCursor", found->next_cursor, "total", total);
}

// Of each answer of a batch what the other guests tell.
static json_t *data_of(json_t *answers)
{
    json_t *all = json_array();
    size_t index;
    const json_t *answer;
    json_array_foreach(answers, index, answer) json_array_append(all, json_object_get(answer, "data"));
    return all;
}

static json_t *within(stk_tx *tx, const char *op, const char *table, const json_t *params)
{
    if (is(op, "select")) return stk_crud_select_within(tx, table, params);
    if (is(op, "page")) return page(stk_crud_page_within(tx, table, params));
    if (is(op, "insert")) return stk_crud_insert_within(tx, table, params);
    if (is(op, "update")) return number(stk_crud_update_within(tx, table, params));
    if (is(op, "updateReturning")) return stk_crud_update_returning_within(tx, table, params);
    if (is(op, "delete")) return number(stk_crud_delete_within(tx, table, params));
    if (is(op, "deleteReturning")) return stk_crud_delete_returning_within(tx, table, params);
    if (is(op, "batch")) return data_of(stk_crud_batch_within(tx, json_object_get(params, "calls")));
    return stk_error("UNKNOWN_OP", op, NULL);
}

static json_t *alone(const char *op, const char *table, const json_t *params)
{
    if (is(op, "select")) return stk_crud_select(table, params);
    if (is(op, "page")) return page(stk_crud_page(table, params));
    if (is(op, "insert")) return stk_crud_insert(table, params);
    if (is(op, "update")) return number(stk_crud_update(table, params));
    if (is(op, "updateReturning")) return stk_crud_update_returning(table, params);
    if (is(op, "delete")) return number(stk_crud_delete(table, params));
    if (is(op, "deleteReturning")) return stk_crud_delete_returning(table, params);
    if (is(op, "batch")) return data_of(stk_crud_batch(json_object_get(params, "calls")));
    return stk_error("UNKNOWN_OP", op, NULL);
}

// Statements and transactions of its own.
static json_t *own(const char *op, const char *text)
{
    if (is(op, "begin")) {
        if (transaction_count == sizeof transactions / sizeof *transactions) STK_PANIC("too many transactions");
        stk_tx *tx = stk_begin(stk_open("main"));
        if (tx != NULL) transactions[transaction_count++] = tx;
        return json_null();
    }
    if (is(op, "sql")) {
        json_int_t count = 0;
        stk_rows *rows = stk_query(stk_open("main"), text, STK_NO_PARAMS);
        while (stk_next(rows)) count++;
        return json_integer(count);
    }
    if (transaction_count == 0) return stk_error("NO_TRANSACTION", op, NULL);
    stk_tx *tx = transactions[--transaction_count];
    return (is(op, "commit") ? stk_commit(tx) : stk_rollback(tx)) ? json_null() : NULL;
}

static bool is_own(const char *op)
{
    return is(op, "begin") || is(op, "commit") || is(op, "rollback") || is(op, "sql");
}

static json_t *run(const json_t *step)
{
    const char *op = text_of(step, "op");
    if (is_own(op)) return own(op, text_of(step, "params"));
    json_t *params = json_object_get(step, "params");
    params = params == NULL ? json_object() : json_copy(params);
    json_object_del(params, "giveUp");
    bool is_within = json_is_true(json_object_get(step, "within")) && transaction_count > 0;
    if (is_within) return within(transactions[transaction_count - 1], op, text_of(step, "table"), params);
    return alone(op, text_of(step, "table"), params);
}

static const char *kind_of(const json_t *step)
{
    // As the other guests tell of their statements.
    if (is_own(text_of(step, "op"))) return "invalid";
    switch (stk_last_error()->kind) {
    case STK_DENIED:
        return "denied";
    case STK_INVALID:
        return "invalid";
    case STK_LIMIT:
        return "limit";
    case STK_TIMEOUT:
        return "timeout";
    case STK_DECODE:
        return "decode";
    case STK_CRUD_REFUSED:
        return "refused";
    default:
        return "other";
    }
}

static json_t *failed(const json_t *step)
{
    const stk_failure *error = stk_last_error();
    bool is_refused = error->kind == STK_CRUD_REFUSED;
    const char *message = error->kind == STK_DENIED ? stk_format("denied: %s", error->message) : error->message;
    json_t *details = error->details == NULL ? json_null() : json_deep_copy(error->details);
    json_t *told = json_pack("{s:s,s:s?,s:s,s:s?,s:o}", "error", kind_of(step), "code", is_refused ? error->code : NULL,
                             "message", message, "hint", *error->hint == '\0' ? NULL : error->hint, "details", details);
    stk_clear_error();
    return told;
}

json_t *stk_handle(const json_t *input)
{
    json_t *told = json_array();
    size_t index;
    const json_t *step;
    json_array_foreach(json_object_get(input, "steps"), index, step) {
        json_t *done = run(step);
        bool gives_up = json_is_true(json_object_get(json_object_get(step, "params"), "giveUp"));
        // As any logic does: then the caller is told the limit.
        if (stk_last_error()->kind == STK_LIMIT && gives_up) return NULL;
        json_array_append_new(told, stk_failed() ? failed(step) : json_pack("{s:o}", "data", done));
    }
    return told;
}
