/*
 * What C libraries ask of WASI preview 1, answered by Santokit's own interfaces: printf and assert write log lines, time() is
 * the host's clock, getentropy() its randomness; there are no files, arguments and environment.
 *
 * wasi-libc declares these functions as imports under the names below; a definition takes the place of the import. So a logic
 * in C has no WASI import, and what it can do is what its manifest grants. What is not here (opening files, sockets) stays an
 * import, for which `stk` adds the adapter to WASI 0.2 with nothing behind it.
 */
#include "host.h"
#include "utf8.h"

#include <stdio.h>
#include <string.h>

#define WASI(name) __imported_wasi_snapshot_preview1_##name

enum { WASI_OK = 0, WASI_BADF = 8, WASI_INVAL = 28, WASI_SPIPE = 70 };

/* The longest line that is kept together. */
enum { LINE_SIZE = 1024 };

typedef struct wasi_iovec {
    uint32_t data;
    uint32_t length;
} wasi_iovec;

typedef struct line {
    char text[LINE_SIZE];
    size_t length;
} line;

static line lines[2];

/* Writes the first bytes of a line; the others stay for the next one. */
static void flush(int32_t fd, size_t length)
{
    line *current = &lines[fd - 1];
    if (length == 0) return;
    stk_bytes_view text = {(const uint8_t *)current->text, length};
    stk_host_log(fd == 2 ? STK_WARN : STK_INFO, text, NULL, 0);
    current->length -= length;
    memmove(current->text, current->text + length, current->length);
}

void stk_flush_output(void)
{
    fflush(NULL);
    flush(1, lines[0].length);
    flush(2, lines[1].length);
}

static void put(int32_t fd, char byte)
{
    line *current = &lines[fd - 1];
    if (byte != '\n') current->text[current->length++] = byte;
    if (byte == '\n') flush(fd, current->length);
    else if (current->length == LINE_SIZE) flush(fd, stk_utf8_cut((const uint8_t *)current->text, LINE_SIZE));
}

int32_t WASI(fd_write)(int32_t fd, int32_t vectors, int32_t count, int32_t written)
{
    if (fd != 1 && fd != 2) return WASI_BADF;
    const wasi_iovec *pieces = (const wasi_iovec *)(uintptr_t)(uint32_t)vectors;
    uint32_t total = 0;
    for (int32_t i = 0; i < count; i++) {
        const char *data = (const char *)(uintptr_t)pieces[i].data;
        for (uint32_t at = 0; at < pieces[i].length; at++) put(fd, data[at]);
        total += pieces[i].length;
    }
    memcpy((void *)(uintptr_t)(uint32_t)written, &total, sizeof total);
    return WASI_OK;
}

int32_t WASI(fd_read)(int32_t fd, int32_t vectors, int32_t count, int32_t got)
{
    (void)vectors;
    (void)count;
    if (fd != 0) return WASI_BADF;
    uint32_t none = 0;
    memcpy((void *)(uintptr_t)(uint32_t)got, &none, sizeof none);
    return WASI_OK;
}

int32_t WASI(fd_seek)(int32_t fd, int64_t offset, int32_t whence, int32_t position)
{
    (void)offset;
    (void)whence;
    (void)position;
    return fd >= 0 && fd <= 2 ? WASI_SPIPE : WASI_BADF;
}

int32_t WASI(fd_close)(int32_t fd)
{
    return fd >= 0 && fd <= 2 ? WASI_OK : WASI_BADF;
}

/* Standard input and output are terminals, so that the library writes line by line. */
int32_t WASI(fd_fdstat_get)(int32_t fd, int32_t answer)
{
    if (fd < 0 || fd > 2) return WASI_BADF;
    uint8_t stat[24] = {2 /* a character device */};
    memcpy((void *)(uintptr_t)(uint32_t)answer, stat, sizeof stat);
    return WASI_OK;
}

int32_t WASI(fd_fdstat_set_flags)(int32_t fd, int32_t flags)
{
    (void)flags;
    return fd >= 0 && fd <= 2 ? WASI_OK : WASI_BADF;
}

int32_t WASI(fd_prestat_get)(int32_t fd, int32_t answer)
{
    (void)fd;
    (void)answer;
    return WASI_BADF;
}

int32_t WASI(fd_prestat_dir_name)(int32_t fd, int32_t path, int32_t length)
{
    (void)fd;
    (void)path;
    (void)length;
    return WASI_BADF;
}

int32_t WASI(environ_sizes_get)(int32_t count, int32_t size)
{
    uint32_t none = 0;
    memcpy((void *)(uintptr_t)(uint32_t)count, &none, sizeof none);
    memcpy((void *)(uintptr_t)(uint32_t)size, &none, sizeof none);
    return WASI_OK;
}

int32_t WASI(environ_get)(int32_t pointers, int32_t buffer)
{
    (void)pointers;
    (void)buffer;
    return WASI_OK;
}

int32_t WASI(clock_time_get)(int32_t clock, int64_t precision, int32_t answer)
{
    (void)precision;
    uint64_t nanoseconds;
    if (clock == 0) {
        stk_datetime now = stk_now();
        nanoseconds = (uint64_t)now.seconds * 1000000000u + now.nanoseconds;
    } else if (clock == 1) {
        nanoseconds = stk_elapsed();
    } else {
        return WASI_INVAL;
    }
    memcpy((void *)(uintptr_t)(uint32_t)answer, &nanoseconds, sizeof nanoseconds);
    return WASI_OK;
}

int32_t WASI(clock_res_get)(int32_t clock, int32_t answer)
{
    (void)clock;
    uint64_t microsecond = 1000;
    memcpy((void *)(uintptr_t)(uint32_t)answer, &microsecond, sizeof microsecond);
    return WASI_OK;
}

int32_t WASI(random_get)(int32_t buffer, int32_t length)
{
    stk_random((void *)(uintptr_t)(uint32_t)buffer, (size_t)(uint32_t)length);
    return WASI_OK;
}

int32_t WASI(sched_yield)(void)
{
    return WASI_OK;
}

_Noreturn void WASI(proc_exit)(int32_t status)
{
    stk_flush_output();
    STK_PANIC("the logic called exit(%d); answer from stk_handle instead", (int)status);
}
