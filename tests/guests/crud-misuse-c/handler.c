// Asks tables as nobody should, and answers what is told of it.

#include <santokit.h>
#include <string.h>

static bool is(const char *how, const char *name)
{
    return strcmp(how, name) == 0;
}

// A transaction that no request may belong to.
static stk_tx *unusable(const char *how)
{
    if (is(how, "no transaction")) return NULL;
    if (is(how, "queries")) return stk_queries_begin("main");
    stk_tx *tx = stk_begin(stk_open("main"));
    stk_rollback(tx);
    return tx;
}

// An error that is left holds the next request back; the error of a request leaves its transaction open.
static json_t *go_on(void)
{
    stk_tx *tx = stk_begin(stk_open("main"));
    stk_crud_select_within(tx, "nowhere", json_object());
    if (stk_crud_select_within(tx, "notes", json_object()) != NULL) STK_PANIC("asked in spite of an error");
    const stk_failure error = *stk_last_error();
    stk_clear_error();
    json_t *rows = stk_crud_select_within(tx, "notes", json_object());
    return json_pack("{s:i,s:s,s:I}", "kind", (int)error.kind, "code", error.code, "rows", (json_int_t)json_array_size(rows));
}

static json_t *ask(const char *how)
{
    if (is(how, "go on")) return go_on();
    if (is(how, "nowhere")) return stk_crud_select("nowhere", json_object());
    if (is(how, "no table")) return stk_crud_select(NULL, json_object());
    // The format wants a value that is not there.
    if (is(how, "no params")) return json_integer(stk_crud_update("notes", json_pack("{s:s}", "where", NULL)));
    if (is(how, "no calls")) return stk_crud_batch(NULL);
    if (is(how, "no object")) return stk_crud_update_returning("notes", json_array());
    if (is(how, "circle")) {
        json_t *params = json_object();
        json_object_set_new(params, "self", json_pack("[O]", params));
        return stk_crud_select("notes", params);
    }
    if (is(how, "rows of a count")) {
        json_t *row = json_pack("{s:s,s:s,s:s}", "id", "m1", "owner", "all", "text", "m1");
        return stk_crud_insert("notes", json_pack("{s:o,s:b}", "data", row, "returning", 0));
    }
    if (is(how, "count of rows")) {
        return json_integer(stk_crud_delete("notes", json_pack("{s:{s:s},s:b}", "where", "id", "m1", "returning", 1)));
    }
    return stk_crud_select_within(unusable(how), "notes", json_object());
}

json_t *stk_handle(const json_t *input)
{
    json_t *answer = ask(json_string_value(json_object_get(input, "how")));
    const stk_failure *error = stk_last_error();
    if (!stk_failed() || json_is_true(json_object_get(input, "leave"))) return answer;
    json_t *told = json_pack("{s:i,s:s}", "kind", (int)error->kind, "message", error->message);
    stk_clear_error();
    return told;
}
