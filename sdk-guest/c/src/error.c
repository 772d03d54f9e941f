#include "host.h"

#include <stdio.h>
#include <string.h>

static const stk_failure NONE = {STK_OK, "", "", "", false, "", NULL};

static stk_failure failure = {STK_OK, "", "", "", false, "", NULL};
static stk_face face;
static json_t *refusal_details;

bool stk_failed(void)
{
    return failure.kind != STK_OK;
}

const stk_failure *stk_last_error(void)
{
    return &failure;
}

bool stk_is_unique_violation(void)
{
    return failure.kind == STK_DATABASE && strcmp(failure.constraint, "unique") == 0;
}

void stk_clear_error(void)
{
    failure = NONE;
    refusal_details = NULL;
}

json_t *stk_error(const char *code, const char *message, json_t *details)
{
    failure = NONE;
    failure.kind = STK_REFUSED;
    failure.code = code == NULL ? "LOGIC_ERROR" : stk_copy(code);
    failure.message = message == NULL ? "" : stk_copy(message);
    face = (stk_face){failure.code, failure.message};
    refusal_details = details;
    return NULL;
}

void stk_fail_with(stk_face outward, const stk_failure *known)
{
    if (stk_failed()) return;
    failure = *known;
    face = outward;
}

void stk_fail(stk_error_kind kind, stk_face outward, const char *code, const char *message)
{
    stk_failure known = NONE;
    known.kind = kind;
    known.code = code;
    known.message = message;
    stk_fail_with(outward, &known);
}

void stk_fail_sql(stk_error_kind kind, const char *message)
{
    stk_face outward = {"SQL_INVALID", "the logic made a mistake with the database"};
    if (kind == STK_NOT_FOUND) outward = (stk_face){"NOT_FOUND", "there is no such row"};
    stk_fail(kind, outward, "", message);
}

/* What a caller learns of a violated constraint. */
static stk_face constraint_face(const char *constraint, bool retryable)
{
    if (strcmp(constraint, "unique") == 0)
        return (stk_face){"UNIQUE_VIOLATION", "a value that must be unique is already taken"};
    if (strcmp(constraint, "foreign_key") == 0)
        return (stk_face){"FOREIGN_KEY_VIOLATION", "a referenced row is missing or still in use"};
    if (strcmp(constraint, "not_null") == 0) return (stk_face){"NOT_NULL_VIOLATION", "a required value is missing"};
    if (strcmp(constraint, "check") == 0) return (stk_face){"CHECK_VIOLATION", "a value is not acceptable"};
    if (retryable) return (stk_face){"SQL_CONFLICT", "another call got in the way; try again"};
    return (stk_face){"SQL_ERROR", "the database refused"};
}

static void fail_database(santokit_sql_types_database_error_t *error)
{
    stk_failure known = NONE;
    known.kind = STK_DATABASE;
    known.code = stk_from_host(&error->code);
    known.message = stk_from_host(&error->message);
    if (error->constraint_kind.is_some) known.constraint = stk_from_host(&error->constraint_kind.val);
    known.retryable = error->retryable;
    logic_list_tuple2_string_string_free(&error->extras);
    stk_fail_with(constraint_face(known.constraint, known.retryable), &known);
}

void stk_fail_host(santokit_sql_types_error_t *error)
{
    stk_face denied = {"SQL_DENIED", "the logic may not do this in the database"};
    stk_face invalid = {"SQL_INVALID", "the logic made a mistake with the database"};
    stk_face limit = {"SQL_LIMIT", "the logic asked for more data than it may read"};
    stk_face timeout = {"SQL_TIMEOUT", "the database took too long"};
    stk_face unavailable = {"SQL_UNAVAILABLE", "the database cannot be reached now"};
    stk_face other = {"SQL_ERROR", "the database refused"};
    bool is_first;
    switch (error->tag) {
    case SANTOKIT_SQL_TYPES_ERROR_DENIED:
        stk_fail(STK_DENIED, denied, "", stk_from_host(&error->val.denied));
        break;
    case SANTOKIT_SQL_TYPES_ERROR_INVALID:
        stk_fail(STK_INVALID, invalid, "", stk_from_host(&error->val.invalid));
        break;
    case SANTOKIT_SQL_TYPES_ERROR_LIMIT:
        stk_fail(STK_LIMIT, limit, "", stk_from_host(&error->val.limit));
        break;
    case SANTOKIT_SQL_TYPES_ERROR_TIMEOUT:
        stk_fail(STK_TIMEOUT, timeout, "", stk_from_host(&error->val.timeout));
        break;
    case SANTOKIT_SQL_TYPES_ERROR_UNAVAILABLE:
        is_first = !stk_failed();
        stk_fail(STK_UNAVAILABLE, unavailable, "", stk_from_host(&error->val.unavailable));
        if (is_first) failure.retryable = true;
        break;
    case SANTOKIT_SQL_TYPES_ERROR_DATABASE:
        fail_database(&error->val.database);
        break;
    default:
        stk_fail(STK_OTHER, other, stk_from_host(&error->val.other.f0), stk_from_host(&error->val.other.f1));
        break;
    }
}

/* The operator's words for a kind. */
static const char *kind_name(stk_error_kind kind)
{
    static const char *const names[] = {"none",    "refused",     "denied",   "invalid",   "limit",    "timed out",
                                        "unavailable", "the database refused", "not found", "too many", "decode", "other",
                                        "a table refused"};
    return (size_t)kind < sizeof names / sizeof *names ? names[kind] : "other";
}

/* ---- The answer ---- */

static logic_string_t owned(const char *text)
{
    logic_string_t clean = stk_to_host(text);
    logic_string_t copy;
    logic_string_dup_n(&copy, (const char *)clean.ptr, clean.len);
    return copy;
}

/* JSON text on the heap; the host's side of the border frees it. */
static logic_list_u8_t dump(const json_t *value, const char *what)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    if (text == NULL) STK_PANIC("%s has no JSON form: is it part of itself?", what);
    return (logic_list_u8_t){(uint8_t *)text, strlen(text)};
}

/* An error that is left, as the host wants it. */
static void answer_error(exports_santokit_logic_handler_logic_error_t *err)
{
    if (failure.kind != STK_REFUSED) {
        char *line = stk_format("%s: %s%s%s", kind_name(failure.kind), failure.code, *failure.code == '\0' ? "" : ": ",
                                failure.message);
        stk_log_fields(STK_ERROR, line, STK_FIELDS({"code", face.code}));
    }
    *err = (exports_santokit_logic_handler_logic_error_t){owned(face.code), owned(face.message), {false, {NULL, 0}}};
    if (failure.kind == STK_REFUSED && refusal_details != NULL) {
        err->details.is_some = true;
        err->details.val = dump(refusal_details, "the value given to stk_error as details");
    }
}

bool exports_santokit_logic_handler_handle(logic_list_u8_t *input, logic_list_u8_t *ret,
                                           exports_santokit_logic_handler_logic_error_t *err)
{
    stk_clear_error();
    json_error_t problem;
    json_t *params = json_loadb((const char *)input->ptr, input->len, 0, &problem);
    json_t *answer = NULL;
    if (params == NULL) {
        /* The Bridge has checked the params: what is left is what C has no form for, a zero inside of text for instance. */
        stk_error("INVALID_INPUT", stk_format("the input cannot be read: %s", problem.text), NULL);
    } else {
        answer = stk_handle(params);
    }
    stk_flush_output();
    bool refused = stk_failed();
    if (!refused && answer == NULL) STK_PANIC("stk_handle answered NULL and left no error: use stk_error to refuse");
    if (refused) answer_error(err);
    else *ret = dump(answer, "the answer of stk_handle");
    stk_release_all();
    logic_list_u8_free(input);
    return !refused;
}

/*
 * The generated bindings want an object file linked in that describes the component's types. `stk` writes that description
 * itself, from the same WIT packages.
 */
void __component_type_object_force_link_logic(void)
{
}
