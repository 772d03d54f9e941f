#include "santokit.h"

#include <string.h>

stk_value stk_null(void)
{
    return (stk_value){0};
}

stk_value stk_bool(bool value)
{
    stk_value made = {.type = STK_BOOL};
    made.as.boolean = value;
    return made;
}

stk_value stk_int(int64_t value)
{
    stk_value made = {.type = STK_INT};
    made.as.integer = value;
    return made;
}

stk_value stk_float(double value)
{
    stk_value made = {.type = STK_FLOAT};
    made.as.number = value;
    return made;
}

static stk_value of_bytes(stk_type type, const void *data, size_t length)
{
    stk_value made = {.type = data == NULL ? STK_NULL : type};
    made.as.bytes = (stk_bytes_view){data, length};
    return made;
}

stk_value stk_text(const char *text)
{
    return of_bytes(STK_TEXT, text, text == NULL ? 0 : strlen(text));
}

stk_value stk_text_of(const char *text, size_t length)
{
    return of_bytes(STK_TEXT, text, length);
}

stk_value stk_bytes(const void *data, size_t length)
{
    return of_bytes(STK_BYTES, data, length);
}

stk_value stk_typed(const char *type_name, const char *text)
{
    stk_value made = of_bytes(STK_TYPED, text, text == NULL ? 0 : strlen(text));
    made.type_name = (stk_bytes_view){(const uint8_t *)type_name, type_name == NULL ? 0 : strlen(type_name)};
    return made;
}

stk_value stk_decimal(const char *text)
{
    return stk_typed("decimal", text);
}

stk_value stk_json(const json_t *value)
{
    if (value == NULL) return stk_null();
    const char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    if (text == NULL) STK_PANIC("a value given to stk_json has no JSON form: is it part of itself?");
    return stk_typed("json", text);
}
