#include "host.h"

/* The caller learns that the logic is not set up; which name is missing goes to the log. */
static const stk_face CONFIG = {"CONFIG_ERROR", "the logic is not configured for this"};
static const stk_face SECRET = {"SECRET_ERROR", "the logic is not configured for this"};

const char *stk_config(const char *name)
{
    if (stk_failed()) return NULL;
    logic_string_t wanted = stk_to_host(name);
    logic_option_string_t value;
    santokit_runtime_config_error_t error;
    if (santokit_runtime_config_get(&wanted, &value, &error)) {
        return value.is_some ? stk_from_host(&value.val) : NULL;
    }
    if (error.tag == SANTOKIT_RUNTIME_CONFIG_ERROR_DENIED) {
        const char *denied = stk_from_host(&error.val.denied);
        stk_fail(STK_DENIED, CONFIG, "",
                 stk_format("configuration denied: %s (add it to grants.config in logic.yaml)", denied));
    } else {
        stk_fail(STK_OTHER, CONFIG, stk_from_host(&error.val.other.f0), stk_from_host(&error.val.other.f1));
    }
    return NULL;
}

const char *stk_secret(const char *name)
{
    if (stk_failed()) return NULL;
    logic_string_t wanted = stk_to_host(name);
    logic_string_t value;
    santokit_runtime_secrets_error_t error;
    if (santokit_runtime_secrets_get(&wanted, &value, &error)) return stk_from_host(&value);
    if (error.tag == SANTOKIT_RUNTIME_SECRETS_ERROR_DENIED) {
        const char *denied = stk_from_host(&error.val.denied);
        stk_fail(STK_DENIED, SECRET, "",
                 stk_format("secret denied: %s (add it to grants.secrets in logic.yaml)", denied));
    } else if (error.tag == SANTOKIT_RUNTIME_SECRETS_ERROR_MISSING) {
        const char *missing = stk_from_host(&error.val.missing);
        stk_fail(STK_NOT_FOUND, SECRET, "",
                 stk_format("secret %s is not set in this env (stk secrets set %s)", missing, missing));
    } else {
        stk_fail(STK_OTHER, SECRET, stk_from_host(&error.val.other.f0), stk_from_host(&error.val.other.f1));
    }
    return NULL;
}
