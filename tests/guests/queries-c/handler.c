// Calls declared queries as its input says, and answers errors as values.

#include <santokit.h>
#include <string.h>

// The query of a call with its params, for one of the functions of the SDK.
#define CALL(input) text_of(input, "query"), named(input), json_object_size(json_object_get(input, "params"))

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

static stk_value value_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_TRUE:
    case JSON_FALSE:
        return stk_bool(json_is_true(value));
    case JSON_INTEGER:
        return stk_int(json_integer_value(value));
    case JSON_STRING:
        return stk_text(json_string_value(value));
    default:
        return stk_null();
    }
}

static const stk_named *named(const json_t *input)
{
    json_t *sent = json_object_get(input, "params");
    stk_named *all = stk_alloc((json_object_size(sent) + 1) * sizeof *all);
    size_t count = 0;
    const char *name;
    json_t *value;
    json_object_foreach(sent, name, value) all[count++] = (stk_named){name, value_of(value)};
    return all;
}

static json_t *all_rows(stk_rows *rows)
{
    json_t *all = json_array();
    while (stk_next(rows)) json_array_append_new(all, stk_row_json(rows));
    return all;
}

static json_int_t count(stk_rows *rows)
{
    json_int_t count = 0;
    while (stk_next(rows)) count++;
    return count;
}

static json_int_t orders(void)
{
    return count(stk_queries_many("by_customer", STK_NAMED({"customerId", stk_text("c1")})));
}

// Two orders or none.
static json_t *transaction(const json_t *input)
{
    stk_tx *tx = stk_queries_begin("main");
    const char *const ids[] = {"t1", "t2"};
    for (size_t i = 0; i < 2; i++) {
        stk_queries_execute("add", STK_NAMED({"id", stk_text(ids[i])}, {"customerId", stk_text("c1")},
                                             {"total", stk_decimal("1.50")}));
    }
    json_int_t seen = orders();
    if (!json_is_true(json_object_get(input, "fail"))) return stk_commit(tx) ? json_integer(seen) : NULL;
    if (!stk_rollback(tx)) return NULL;
    return json_pack("{s:s,s:s}", "error", "other", "message", "taken back as asked");
}

// A transaction that is ended without a commit, and ended again.
static json_t *handles(void)
{
    stk_tx *tx = stk_queries_begin("main");
    stk_queries_execute("add", STK_NAMED({"id", stk_text("h1")}, {"customerId", stk_text("c1")}, {"total", stk_text("1")}));
    if (!stk_rollback(tx) || stk_rollback(tx)) return NULL;
    stk_clear_error();
    return json_pack("{s:I}", "left", orders());
}

static json_t *call(const json_t *input)
{
    const char *op = text_of(input, "op");
    if (strcmp(op, "many") == 0) return all_rows(stk_queries_many(CALL(input)));
    if (strcmp(op, "one") == 0) return stk_row_json(stk_queries_one(CALL(input)));
    if (strcmp(op, "execute") == 0) return json_integer(stk_queries_execute(CALL(input)));
    if (strcmp(op, "cursor") == 0) return json_pack("{s:I}", "rows", count(stk_queries_cursor(CALL(input))));
    if (strcmp(op, "transaction") == 0) return transaction(input);
    if (strcmp(op, "handles") == 0) return handles();
    return stk_error("UNKNOWN_OP", op, NULL);
}

json_t *stk_handle(const json_t *input)
{
    json_t *answer = call(input);
    const stk_failure *error = stk_last_error();
    // As any logic does: then the caller is told the limit.
    if (!stk_failed() || error->kind == STK_LIMIT || error->kind == STK_REFUSED) return answer;
    const char *kind = "other";
    if (error->kind == STK_DENIED) kind = "denied";
    if (error->kind == STK_INVALID) kind = "invalid";
    if (error->kind == STK_DATABASE) kind = "database";
    if (error->kind == STK_NOT_FOUND || error->kind == STK_TOO_MANY) kind = "rowCount";
    json_t *told = json_pack("{s:s,s:s}", "error", kind, "message", error->message);
    stk_clear_error();
    return told;
}
