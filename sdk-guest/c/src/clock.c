#include "datetime.h"
#include "host.h"

stk_datetime stk_now(void)
{
    santokit_runtime_clock_datetime_t now;
    santokit_runtime_clock_now(&now);
    return (stk_datetime){now.seconds, now.nanoseconds};
}

char *stk_datetime_text(stk_datetime moment)
{
    char text[STK_DATETIME_SIZE];
    stk_datetime_write(moment, text);
    return stk_copy(text);
}

stk_value stk_timestamp(stk_datetime moment)
{
    return stk_typed("timestamp", stk_datetime_text(moment));
}

uint64_t stk_elapsed(void)
{
    return santokit_runtime_clock_elapsed();
}

uint32_t stk_remaining(void)
{
    return santokit_runtime_clock_remaining();
}
