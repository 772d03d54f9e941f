// The ways in which C goes wrong, a few calls deep, so that a backtrace has names to show. The lines with their names in a
// comment are looked for in the log.

#include "crash.h"

#include <assert.h>
#include <santokit.h>
#include <stdlib.h>
#include <string.h>

static volatile int depth;

static __attribute__((noinline)) int recurse(int level)
{
    if (depth < 0) return 0;
    volatile char frame[256];
    memset((char *)frame, level, sizeof frame);
    depth = level;
    return recurse(level + 1) + frame[level & 255]; // recursion
}

static __attribute__((noinline)) int go_wrong(const char *how)
{
    if (strcmp(how, "bounds") == 0) {
        volatile int *beyond = (volatile int *)(uintptr_t)0xfffffff0u;
        return *beyond; // bounds
    }
    if (strcmp(how, "panic") == 0) STK_PANIC("asked to panic, %d deep", 2); // panic
    if (strcmp(how, "recursion") == 0) return recurse(1);
    if (strcmp(how, "exit") == 0) exit(3); // exit
    if (strcmp(how, "assert") == 0) assert(how == NULL); // assert
    if (strcmp(how, "memory") == 0) {
        for (;;) memset(stk_alloc(1 << 20), 1, 1 << 20); // memory
    }
    if (strcmp(how, "trap") == 0) __builtin_trap(); // trap
    return 0;
}

int crash(const char *how)
{
    return go_wrong(how) + 1;
}
