#include "host.h"

#include <string.h>

const stk_caller *stk_get_caller(void)
{
    santokit_runtime_context_caller_t host;
    santokit_runtime_context_get_caller(&host);
    stk_caller *caller = stk_alloc(sizeof *caller);
    const char **roles = stk_alloc((host.roles.len + 1) * sizeof *roles);
    for (size_t i = 0; i < host.roles.len; i++) {
        roles[i] = stk_from_host(&host.roles.ptr[i]);
    }
    caller->kind = stk_from_host(&host.kind);
    caller->subject = host.subject.is_some ? stk_from_host(&host.subject.val) : NULL;
    caller->roles = roles;
    caller->role_count = host.roles.len;
    json_error_t problem;
    const json_t *claims = host.claims.len == 0
                               ? NULL
                               : json_loadb((const char *)host.claims.ptr, host.claims.len, JSON_ALLOW_NUL, &problem);
    caller->claims = claims == NULL ? json_object() : claims;
    logic_list_u8_free(&host.claims);
    return caller;
}

bool stk_has_role(const char *role)
{
    const stk_caller *caller = stk_get_caller();
    for (size_t i = 0; role != NULL && i < caller->role_count; i++) {
        if (strcmp(caller->roles[i], role) == 0) return true;
    }
    return false;
}

const stk_invocation *stk_get_invocation(void)
{
    santokit_runtime_context_invocation_t host;
    santokit_runtime_context_get_invocation(&host);
    stk_invocation *invocation = stk_alloc(sizeof *invocation);
    invocation->request_id = stk_from_host(&host.request_id);
    invocation->logic = stk_from_host(&host.logic);
    invocation->project = stk_from_host(&host.project);
    invocation->env = stk_from_host(&host.env);
    invocation->release_id = stk_from_host(&host.release_id);
    invocation->trigger = stk_from_host(&host.trigger);
    return invocation;
}
