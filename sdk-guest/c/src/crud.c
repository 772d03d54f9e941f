/*
 * Requests to the project's tables: params and answers are JSON, as a caller of the Bridge has them. A logic imports only the
 * verbs that it calls.
 */
#include "transaction.h"

#include <stdlib.h>
#include <string.h>

typedef santokit_crud_crud_borrow_transaction_t host_transaction;
typedef santokit_crud_crud_answer_t host_answer;
typedef santokit_crud_crud_error_t host_error;

/* A verb of the host. `within` is NULL for a request of its own. */
typedef bool (*host_verb)(logic_string_t *table, logic_list_u8_t *params, host_transaction *within, host_answer *answer,
                          host_error *error);

/* ---- Errors ---- */

static const stk_face DENIED = {"CRUD_DENIED", "the logic may not do this with a table"};
static const stk_face INVALID = {"CRUD_INVALID", "the logic made a mistake with a table"};
static const stk_face NOT_TAKEN = {"CRUD_INVALID", "a table does not take this"};
static const stk_face LIMIT = {"SQL_LIMIT", "the logic asked for more data than it may read"};
static const stk_face TIMEOUT = {"CRUD_TIMEOUT", "the database took too long"};
static const stk_face CONFLICT = {"CRUD_CONFLICT", "the change contradicts what is stored"};
static const stk_face UNAVAILABLE = {"CRUD_UNAVAILABLE", "the database cannot be reached now"};
static const stk_face REFUSED = {"CRUD_ERROR", "the database refused"};

/* What a caller learns of what the tables answered. */
static stk_face face_of(const char *code)
{
    if (strcmp(code, "UNAUTHORIZED") == 0 || strcmp(code, "FORBIDDEN") == 0 || strcmp(code, "NOT_FOUND") == 0) return DENIED;
    if (strcmp(code, "BAD_REQUEST") == 0 || strcmp(code, "SCHEMA_VALIDATION_FAILED") == 0) return NOT_TAKEN;
    if (strcmp(code, "CONFLICT") == 0) return CONFLICT;
    if (strcmp(code, "SERVICE_UNAVAILABLE") == 0) return UNAVAILABLE;
    return REFUSED;
}

static void fail_problem(santokit_crud_crud_problem_t *problem)
{
    json_error_t unread;
    const json_t *details = json_loadb((const char *)problem->details.ptr, problem->details.len, JSON_ALLOW_NUL, &unread);
    logic_list_u8_free(&problem->details);
    stk_failure failure = {
        .kind = STK_CRUD_REFUSED,
        .code = stk_from_host(&problem->code),
        .message = stk_from_host(&problem->message),
        .constraint = "",
        .hint = problem->hint.is_some ? stk_from_host(&problem->hint.val) : "",
        .details = details == NULL ? json_object() : details,
    };
    failure.retryable = strcmp(failure.code, "SERVICE_UNAVAILABLE") == 0;
    stk_fail_with(face_of(failure.code), &failure);
}

/* Leaves the host's error. What it owns is freed. */
static void fail_host(host_error *error)
{
    switch (error->tag) {
    case SANTOKIT_CRUD_CRUD_ERROR_DENIED:
        stk_fail(STK_DENIED, DENIED, "", stk_from_host(&error->val.denied));
        break;
    case SANTOKIT_CRUD_CRUD_ERROR_INVALID:
        stk_fail(STK_INVALID, INVALID, "", stk_from_host(&error->val.invalid));
        break;
    case SANTOKIT_CRUD_CRUD_ERROR_LIMIT:
        stk_fail(STK_LIMIT, LIMIT, "", stk_from_host(&error->val.limit));
        break;
    case SANTOKIT_CRUD_CRUD_ERROR_TIMEOUT:
        stk_fail(STK_TIMEOUT, TIMEOUT, "", stk_from_host(&error->val.timeout));
        break;
    case SANTOKIT_CRUD_CRUD_ERROR_REFUSED:
        fail_problem(&error->val.refused);
        break;
    default:
        stk_fail(STK_OTHER, REFUSED, stk_from_host(&error->val.other.f0), stk_from_host(&error->val.other.f1));
        break;
    }
}

/* ---- Asking ---- */

/* What Jansson wants to count references of. Nothing else of it changes. */
static json_t *counted(const json_t *value)
{
    return (json_t *)(uintptr_t)value;
}

/* Whether the answer came, which is then the caller's to free. */
static bool ask(host_verb verb, const char *table, const json_t *params, host_transaction *within, host_answer *answer)
{
    if (stk_failed()) return false;
    if (table == NULL || params == NULL) {
        stk_fail(STK_INVALID, INVALID, "",
                 table == NULL ? "the name of the table is NULL"
                               : "the params are NULL: json_pack answers NULL where its format does not fit the values");
        return false;
    }
    char *text = json_dumps(params, JSON_COMPACT | JSON_ENCODE_ANY);
    if (text == NULL) {
        stk_fail(STK_INVALID, INVALID, "", "the params have no JSON form: are they part of themselves?");
        return false;
    }
    logic_string_t name = stk_to_host(table);
    logic_list_u8_t sent = {(uint8_t *)text, strlen(text)};
    host_error error;
    bool done = verb(&name, &sent, within, answer, &error);
    free(text);
    if (!done) fail_host(&error);
    return done;
}

/* The params with what asks for the rows. */
static json_t *returning(const json_t *params)
{
    if (!json_is_object(params)) return json_incref(counted(params));
    json_t *more = json_copy(counted(params));
    json_object_set_new(more, "returning", json_true());
    return more;
}

/* ---- Answers ---- */

static json_t *parse(const logic_list_u8_t *text)
{
    json_error_t problem;
    json_t *value = json_loadb((const char *)text->ptr, text->len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &problem);
    if (value == NULL) stk_fail(STK_DECODE, INVALID, "", stk_format("the answer cannot be read: %s", problem.text));
    return value;
}

static void let_go_of(host_answer *answer)
{
    logic_list_u8_free(&answer->data);
    logic_list_u8_free(&answer->meta);
}

/* Rows, with what is said beside them where it is asked for. */
static json_t *rows(host_verb verb, const char *table, const json_t *params, host_transaction *within, json_t **meta)
{
    host_answer answer;
    if (!ask(verb, table, params, within, &answer)) return NULL;
    json_t *found = parse(&answer.data);
    if (meta != NULL) *meta = parse(&answer.meta);
    let_go_of(&answer);
    if (json_is_array(found)) return found;
    stk_fail(STK_DECODE, INVALID, "", "the answer has no rows: leave \"returning\": false out of the params");
    return NULL;
}

/* Rows that were added and may not be read are answered as a number; they are there, so that this is no error. */
static json_t *added(const char *table, const json_t *params, host_transaction *within)
{
    host_answer answer;
    if (!ask(santokit_crud_crud_insert, table, params, within, &answer)) return NULL;
    json_t *found = parse(&answer.data);
    let_go_of(&answer);
    if (!json_is_object(found)) return found;
    json_decref(found);
    return json_array();
}

static json_t *rows_of_change(host_verb verb, const char *table, const json_t *params, host_transaction *within)
{
    json_t *more = returning(params);
    json_t *found = rows(verb, table, more, within, NULL);
    json_decref(more);
    return found;
}

static int64_t affected(host_verb verb, const char *table, const json_t *params, host_transaction *within)
{
    host_answer answer;
    if (!ask(verb, table, params, within, &answer)) return -1;
    json_t *told = parse(&answer.data);
    let_go_of(&answer);
    const json_t *count = json_object_get(told, "affected");
    int64_t rows_affected = json_is_integer(count) ? json_integer_value(count) : -1;
    if (rows_affected < 0) stk_fail(STK_DECODE, INVALID, "", "the answer has rows: take the function that returns them");
    json_decref(told);
    return rows_affected;
}

static const stk_page *page(const char *table, const json_t *params, host_transaction *within)
{
    json_t *meta = NULL;
    json_t *found = rows(santokit_crud_crud_select, table, params, within, &meta);
    if (stk_failed()) return NULL;
    const json_t *total = json_object_get(meta, "total");
    stk_page *made = stk_alloc(sizeof *made);
    made->rows = found;
    made->next_cursor = stk_copy(json_string_value(json_object_get(meta, "nextCursor")));
    made->total = json_is_integer(total) ? json_integer_value(total) : -1;
    json_decref(meta);
    return made;
}

/* As a verb on no table, so that it is asked as the others are. */
static bool host_batch(logic_string_t *table, logic_list_u8_t *params, host_transaction *within, host_answer *answer,
                       host_error *error)
{
    (void)table;
    return santokit_crud_crud_batch(params, within, answer, error);
}

static json_t *batch(const json_t *calls, host_transaction *within)
{
    json_t *params = calls == NULL ? NULL : json_object();
    if (calls != NULL) json_object_set(params, "calls", counted(calls));
    json_t *answers = rows(host_batch, "", params, within, NULL);
    json_decref(params);
    return answers;
}

/* ---- Requests of their own ---- */

json_t *stk_crud_select(const char *table, const json_t *params)
{
    return rows(santokit_crud_crud_select, table, params, NULL, NULL);
}

const stk_page *stk_crud_page(const char *table, const json_t *params)
{
    return page(table, params, NULL);
}

json_t *stk_crud_insert(const char *table, const json_t *params)
{
    return added(table, params, NULL);
}

int64_t stk_crud_update(const char *table, const json_t *params)
{
    return affected(santokit_crud_crud_update, table, params, NULL);
}

json_t *stk_crud_update_returning(const char *table, const json_t *params)
{
    return rows_of_change(santokit_crud_crud_update, table, params, NULL);
}

int64_t stk_crud_delete(const char *table, const json_t *params)
{
    return affected(santokit_crud_crud_delete, table, params, NULL);
}

json_t *stk_crud_delete_returning(const char *table, const json_t *params)
{
    return rows_of_change(santokit_crud_crud_delete, table, params, NULL);
}

json_t *stk_crud_batch(const json_t *calls)
{
    return batch(calls, NULL);
}

/* ---- Requests in a transaction ---- */

/* The transaction as the host has it; an error is left where it is none to be used. */
static bool usable(const stk_tx *tx, host_transaction *within)
{
    return !stk_failed() && stk_tx_of_sql(tx, &within->__handle);
}

json_t *stk_crud_select_within(stk_tx *tx, const char *table, const json_t *params)
{
    host_transaction within;
    return usable(tx, &within) ? rows(santokit_crud_crud_select, table, params, &within, NULL) : NULL;
}

const stk_page *stk_crud_page_within(stk_tx *tx, const char *table, const json_t *params)
{
    host_transaction within;
    return usable(tx, &within) ? page(table, params, &within) : NULL;
}

json_t *stk_crud_insert_within(stk_tx *tx, const char *table, const json_t *params)
{
    host_transaction within;
    return usable(tx, &within) ? added(table, params, &within) : NULL;
}

int64_t stk_crud_update_within(stk_tx *tx, const char *table, const json_t *params)
{
    host_transaction within;
    return usable(tx, &within) ? affected(santokit_crud_crud_update, table, params, &within) : -1;
}

json_t *stk_crud_update_returning_within(stk_tx *tx, const char *table, const json_t *params)
{
    host_transaction within;
    return usable(tx, &within) ? rows_of_change(santokit_crud_crud_update, table, params, &within) : NULL;
}

int64_t stk_crud_delete_within(stk_tx *tx, const char *table, const json_t *params)
{
    host_transaction within;
    return usable(tx, &within) ? affected(santokit_crud_crud_delete, table, params, &within) : -1;
}

json_t *stk_crud_delete_returning_within(stk_tx *tx, const char *table, const json_t *params)
{
    host_transaction within;
    return usable(tx, &within) ? rows_of_change(santokit_crud_crud_delete, table, params, &within) : NULL;
}

json_t *stk_crud_batch_within(stk_tx *tx, const json_t *calls)
{
    host_transaction within;
    return usable(tx, &within) ? batch(calls, &within) : NULL;
}
