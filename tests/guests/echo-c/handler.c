// Answers its input, refuses with its error, prints, or goes wrong as it is told.

#include "crash.h"

#include <santokit.h>
#include <stdio.h>

json_t *stk_handle(const json_t *input)
{
    const json_t *error = json_object_get(input, "error");
    if (json_is_object(error)) {
        const char *code = json_string_value(json_object_get(error, "code"));
        const char *message = json_string_value(json_object_get(error, "message"));
        return stk_error(code, message, json_object_get(error, "details"));
    }
    const char *print = json_string_value(json_object_get(input, "print"));
    for (json_int_t i = json_integer_value(json_object_get(input, "repeat")); print != NULL && i > 0; i--) fputs(print, stdout);
    const char *how = json_string_value(json_object_get(input, "crash"));
    if (how != NULL) return json_integer(crash(how));
    return json_incref((json_t *)input);
}
