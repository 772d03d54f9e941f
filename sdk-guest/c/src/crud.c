#include "transaction.h"

#include <stdlib.h>
#include <string.h>

/* What a caller learns of a problem, by the code of the tables' answer. */
static stk_face face_of(const char *code)
{
    if (strcmp(code, "UNAUTHORIZED") == 0 || strcmp(code, "FORBIDDEN") == 0 || strcmp(code, "NOT_FOUND") == 0)
        return (stk_face){"CRUD_DENIED", "the logic may not do this with a table"};
    if (strcmp(code, "BAD_REQUEST") == 0 || strcmp(code, "SCHEMA_VALIDATION_FAILED") == 0)
        return (stk_face){"CRUD_INVALID", "a table does not take this"};
    if (strcmp(code, "CONFLICT") == 0) return (stk_face){"CRUD_CONFLICT", "the change contradicts what is stored"};
    if (strcmp(code, "SERVICE_UNAVAILABLE") == 0)
        return (stk_face){"CRUD_UNAVAILABLE", "the database cannot be reached now"};
    return (stk_face){"CRUD_ERROR", "the database refused"};
}

static json_t *fail(stk_error_kind kind, const char *message)
{
    stk_fail(kind, (stk_face){"CRUD_INVALID", "the logic made a mistake with a table"}, "", message);
    return NULL;
}

/* Bytes of the host as JSON; the host's are freed. */
static json_t *parsed(logic_list_u8_t *bytes)
{
    json_error_t problem;
    json_t *json = json_loadb((const char *)bytes->ptr, bytes->len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &problem);
    logic_list_u8_free(bytes);
    return json != NULL ? json : fail(STK_DECODE, stk_format("the answer cannot be read: %s", problem.text));
}

static void fail_host_crud(santokit_crud_crud_error_t *error)
{
    switch (error->tag) {
    case SANTOKIT_CRUD_CRUD_ERROR_DENIED:
        stk_fail(STK_DENIED, face_of("NOT_FOUND"), "", stk_from_host(&error->val.denied));
        break;
    case SANTOKIT_CRUD_CRUD_ERROR_INVALID:
        fail(STK_INVALID, stk_from_host(&error->val.invalid));
        break;
    case SANTOKIT_CRUD_CRUD_ERROR_LIMIT:
        stk_fail(STK_LIMIT, (stk_face){"SQL_LIMIT", "the logic asked for more data than it may read"}, "",
                 stk_from_host(&error->val.limit));
        break;
    case SANTOKIT_CRUD_CRUD_ERROR_TIMEOUT:
        stk_fail(STK_TIMEOUT, (stk_face){"CRUD_TIMEOUT", "the database took too long"}, "",
                 stk_from_host(&error->val.timeout));
        break;
    case SANTOKIT_CRUD_CRUD_ERROR_REFUSED: {
        const char *code = stk_from_host(&error->val.refused.code);
        const char *message = stk_from_host(&error->val.refused.message);
        const char *hint = error->val.refused.hint.is_some ? stk_from_host(&error->val.refused.hint.val) : "";
        json_t *details = parsed(&error->val.refused.details);
        stk_fail_table(face_of(code), code, message, hint, details);
        break;
    }
    default:
        stk_fail(STK_OTHER, face_of(""), stk_from_host(&error->val.other.f0), stk_from_host(&error->val.other.f1));
        break;
    }
}

/* The params as bytes; what was given is given back. NULL is no params. */
static bool written(json_t *params, logic_list_u8_t *bytes)
{
    char *text = params == NULL ? NULL : json_dumps(params, JSON_COMPACT | JSON_ENCODE_ANY);
    bool is_wrong = params != NULL && text == NULL;
    json_decref(params);
    if (is_wrong) {
        fail(STK_INVALID, "the params have no JSON form: are they part of themselves?");
        return false;
    }
    if (text == NULL) {
        text = stk_grow(NULL, 3);
        memcpy(text, "{}", 3);
    }
    *bytes = (logic_list_u8_t){(uint8_t *)text, strlen(text)};
    return true;
}

static json_t *answered(bool done, santokit_crud_crud_answer_t *answer, santokit_crud_crud_error_t *error, json_t **meta)
{
    if (!done) {
        fail_host_crud(error);
        return NULL;
    }
    json_t *data = parsed(&answer->data);
    json_t *more = parsed(&answer->meta);
    if (meta != NULL) *meta = more;
    else json_decref(more);
    return data;
}

/* Whether the transaction can be used; its handle. */
static bool begun(stk_tx *within, santokit_crud_crud_borrow_transaction_t *handle)
{
    int32_t number;
    if (within == NULL) return true;
    if (!stk_tx_handle(within, &number)) return false;
    *handle = (santokit_crud_crud_borrow_transaction_t){number};
    return true;
}

json_t *stk_crud(stk_tx *within, stk_verb verb, const char *table, json_t *params, json_t **meta)
{
    typedef bool call(logic_string_t *, logic_list_u8_t *, santokit_crud_crud_borrow_transaction_t *,
                      santokit_crud_crud_answer_t *, santokit_crud_crud_error_t *);
    static call *const calls[] = {santokit_crud_crud_select, santokit_crud_crud_insert, santokit_crud_crud_update,
                                  santokit_crud_crud_delete};
    logic_list_u8_t bytes;
    santokit_crud_crud_borrow_transaction_t handle;
    if (meta != NULL) *meta = NULL;
    if (stk_failed() || !begun(within, &handle)) {
        json_decref(params);
        return NULL;
    }
    if (table == NULL || (size_t)verb >= sizeof calls / sizeof *calls) {
        json_decref(params);
        return fail(STK_INVALID, table == NULL ? "the name of the table is NULL" : "there is no such verb");
    }
    if (!written(params, &bytes)) return NULL;
    logic_string_t name = stk_to_host(table);
    santokit_crud_crud_answer_t answer;
    santokit_crud_crud_error_t error;
    bool done = calls[verb](&name, &bytes, within == NULL ? NULL : &handle, &answer, &error);
    free(bytes.ptr);
    return answered(done, &answer, &error, meta);
}

json_t *stk_crud_batch(stk_tx *within, json_t *calls)
{
    logic_list_u8_t bytes;
    santokit_crud_crud_borrow_transaction_t handle;
    if (stk_failed() || !begun(within, &handle)) {
        json_decref(calls);
        return NULL;
    }
    if (!written(json_pack("{s:o*}", "calls", calls), &bytes)) return NULL;
    santokit_crud_crud_answer_t answer;
    santokit_crud_crud_error_t error;
    bool done = santokit_crud_crud_batch(&bytes, within == NULL ? NULL : &handle, &answer, &error);
    free(bytes.ptr);
    return answered(done, &answer, &error, NULL);
}
