// The logic `{{name}}`: called at `POST /logics/{{name}}`.

#include <santokit.h>

json_t *stk_handle(const json_t *input)
{
    const char *who = json_string_value(json_object_get(input, "who"));
    if (who == NULL || *who == '\0') return stk_error("NOBODY", "say whom to greet", NULL);
    stk_info("greeting %s", who);
    return json_pack("{s:s}", "greeting", stk_format("Hello, %s!", who));
}
