/* Asks tables as its input says, step by step, and answers what each step came to. */
#include <santokit.h>

#include <string.h>

enum { OPEN_MAX = 8 };

typedef struct open_transactions {
    stk_tx *tx[OPEN_MAX];
    size_t count;
} open_transactions;

static json_t *sql_rows(const char *text)
{
    stk_rows *rows = stk_query(stk_open("main"), text, STK_NO_PARAMS);
    json_int_t count = 0;
    while (stk_next(rows)) count++;
    return stk_failed() ? NULL : json_integer(count);
}

static json_t *ask(stk_tx *within, const char *op, const char *table, json_t *params)
{
    static const struct {
        const char *op;
        stk_verb verb;
        bool rows;
    } verbs[] = {
        {"select", STK_SELECT, false},         {"page", STK_SELECT, false},   {"insert", STK_INSERT, false},
        {"update", STK_UPDATE, false},         {"delete", STK_DELETE, false}, {"updateReturning", STK_UPDATE, true},
        {"deleteReturning", STK_DELETE, true},
    };
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(op, verbs[i].op) != 0) continue;
        if (verbs[i].rows) json_object_set_new(params, "returning", json_true());
        json_t *meta;
        json_t *data = stk_crud(within, verbs[i].verb, table, params, &meta);
        if (data == NULL) return NULL;
        if (strcmp(op, "page") == 0) {
            json_object_set_new(meta, "rows", data);
            if (json_object_get(meta, "nextCursor") == NULL) json_object_set_new(meta, "nextCursor", json_null());
            return meta;
        }
        json_t *affected = json_object_get(data, "affected");
        return affected == NULL ? data : affected;
    }
    return stk_error("UNKNOWN_OP", op, NULL);
}

static json_t *batch(stk_tx *within, const json_t *params)
{
    json_t *answers = stk_crud_batch(within, json_incref(json_object_get(params, "calls")));
    json_t *data = json_array();
    size_t index;
    json_t *answer;
    json_array_foreach (answers, index, answer) json_array_append(data, json_object_get(answer, "data"));
    return answers == NULL ? NULL : data;
}

static json_t *run(const json_t *step, open_transactions *open)
{
    const char *op = json_string_value(json_object_get(step, "op"));
    const char *table = json_string_value(json_object_get(step, "table"));
    json_t *params = json_object_get(step, "params");
    stk_tx *last = open->count > 0 ? open->tx[open->count - 1] : NULL;
    stk_tx *within = json_is_true(json_object_get(step, "within")) ? last : NULL;
    if (strcmp(op, "begin") == 0) {
        stk_tx *tx = stk_begin(stk_open("main"));
        if (tx != NULL && open->count < OPEN_MAX) open->tx[open->count++] = tx;
        return json_null();
    }
    if (strcmp(op, "commit") == 0) return open->count--, stk_commit(last) ? json_null() : NULL;
    if (strcmp(op, "rollback") == 0) return open->count--, stk_rollback(last) ? json_null() : NULL;
    if (strcmp(op, "sql") == 0) return sql_rows(json_string_value(params));
    if (strcmp(op, "batch") == 0) return batch(within, params);
    json_t *sent = params == NULL ? json_object() : json_deep_copy(params);
    if (json_is_object(sent)) json_object_del(sent, "giveUp");
    return ask(within, op, table == NULL ? "" : table, sent);
}

/* The error that is left, as a value. */
static json_t *told(void)
{
    static const char *const kinds[] = {"none",     "other",     "denied", "invalid", "limit", "timeout",
                                        "unavailable", "database", "notFound", "tooMany", "decode", "other", "refused"};
    const stk_failure *failure = stk_last_error();
    bool is_table = failure->kind == STK_TABLE;
    const char *kind = failure->kind == STK_DENIED ? "invalid" : kinds[failure->kind];
    const char *word = failure->kind == STK_DENIED ? "denied: " : "";
    json_t *error = json_pack("{s:s, s:s?, s:o, s:s?, s:O?}", "error", kind, "code", is_table ? failure->code : NULL, "message",
                              json_string(stk_format("%s%s", word, failure->message)), "hint",
                              is_table && *failure->hint != '\0' ? failure->hint : NULL, "details", failure->details);
    stk_clear_error();
    return error;
}

json_t *stk_handle(const json_t *input)
{
    open_transactions open = {{NULL}, 0};
    json_t *all = json_array();
    size_t index;
    json_t *step;
    json_array_foreach (json_object_get(input, "steps"), index, step) {
        json_t *data = run(step, &open);
        bool gives_up = json_is_true(json_object_get(json_object_get(step, "params"), "giveUp"));
        /* As any logic does: then the caller is told the limit. */
        if (stk_failed() && gives_up && stk_last_error()->kind == STK_LIMIT) return NULL;
        json_array_append_new(all, stk_failed() ? told() : json_pack("{s:o}", "data", data));
    }
    return all;
}
