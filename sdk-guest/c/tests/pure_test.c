/*
 * The parts that know nothing of the host, with the sanitizers of the machine's own compiler. Ends with a message and status 1
 * at the first thing that is not as it must be.
 *
 *     cc -std=c11 -Wall -Wextra -Werror -fsanitize=address,undefined -fno-sanitize-recover=all \
 *         -Iinclude -isystem third_party/jansson -Isrc -o pure_test \
 *         tests/pure_test.c src/packed.c src/number.c src/datetime.c src/utf8.c -lm && ./pure_test
 */
#include "../src/datetime.h"
#include "../src/number.h"
#include "../src/packed.h"
#include "../src/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                    \
    do {                                                                                    \
        if (!(condition)) {                                                                 \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);         \
            exit(1);                                                                        \
        }                                                                                   \
    } while (0)

/* The cells of two rows: null, false, true, -2, 1.5, "ä", 2 bytes, ("decimal", "1.20"). */
static const uint8_t GOOD[] = {0, 1, 2, 3, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 4, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f,
                               5, 2, 0, 0, 0, 0xc3, 0xa4, 6, 2, 0, 0, 0, 0, 0xff, 7, 7, 0, 0, 0, 'd', 'e', 'c', 'i', 'm',
                               'a', 'l', 4, 0, 0, 0, '1', '.', '2', '0'};

/* A copy of exactly this size on the heap, so that the sanitizer sees a read beyond it. */
static uint8_t *copy_of(const uint8_t *bytes, size_t length)
{
    uint8_t *copy = malloc(length == 0 ? 1 : length);
    CHECK(copy != NULL);
    if (length > 0) memcpy(copy, bytes, length);
    return copy;
}

static bool view_is(stk_bytes_view view, const char *text)
{
    return view.length == strlen(text) && memcmp(view.data, text, view.length) == 0;
}

/* Reads until a problem or the end; every byte that a cell names is touched. */
static size_t read_all(const uint8_t *bytes, size_t length, stk_packed_problem *problem)
{
    uint8_t *copy = copy_of(bytes, length);
    stk_packed packed = {copy, length};
    size_t cells = 0;
    unsigned sum = 0;
    *problem = NULL;
    while (packed.left > 0) {
        stk_value cell;
        *problem = stk_packed_cell(&packed, &cell);
        if (*problem != NULL) break;
        cells++;
        bool has_bytes = cell.type == STK_TEXT || cell.type == STK_BYTES || cell.type == STK_TYPED;
        for (size_t i = 0; has_bytes && i < cell.as.bytes.length; i++) sum += cell.as.bytes.data[i];
        for (size_t i = 0; cell.type == STK_TYPED && i < cell.type_name.length; i++) sum += cell.type_name.data[i];
    }
    CHECK(sum < 255u * 100000u);
    free(copy);
    return cells;
}

static void every_kind_of_cell_is_read(void)
{
    stk_packed packed = {GOOD, sizeof GOOD};
    stk_value cell;
    CHECK(stk_packed_cell(&packed, &cell) == NULL && cell.type == STK_NULL);
    CHECK(stk_packed_cell(&packed, &cell) == NULL && cell.type == STK_BOOL && !cell.as.boolean);
    CHECK(stk_packed_cell(&packed, &cell) == NULL && cell.type == STK_BOOL && cell.as.boolean);
    CHECK(stk_packed_cell(&packed, &cell) == NULL && cell.type == STK_INT && cell.as.integer == -2);
    CHECK(stk_packed_cell(&packed, &cell) == NULL && cell.type == STK_FLOAT && cell.as.number == 1.5);
    CHECK(stk_packed_cell(&packed, &cell) == NULL && cell.type == STK_TEXT && view_is(cell.as.bytes, "ä"));
    CHECK(stk_packed_cell(&packed, &cell) == NULL && cell.type == STK_BYTES && cell.as.bytes.length == 2);
    CHECK(stk_packed_cell(&packed, &cell) == NULL && cell.type == STK_TYPED);
    CHECK(view_is(cell.type_name, "decimal") && view_is(cell.as.bytes, "1.20"));
    CHECK(packed.left == 0);
    CHECK(stk_packed_cell(&packed, &cell) != NULL && cell.type == STK_NULL);
}

static void what_is_cut_short_is_a_problem_and_never_read_beyond(void)
{
    stk_packed_problem problem;
    for (size_t length = 0; length <= sizeof GOOD; length++) {
        size_t cells = read_all(GOOD, length, &problem);
        CHECK(cells <= 8);
        CHECK((cells == 8) == (length == sizeof GOOD));
    }
    const uint8_t huge[] = {5, 0xff, 0xff, 0xff, 0xff, 'x'};
    CHECK(read_all(huge, sizeof huge, &problem) == 0 && problem != NULL);
    const uint8_t wraps[] = {7, 0xfc, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    CHECK(read_all(wraps, sizeof wraps, &problem) == 0 && problem != NULL);
    const uint8_t unknown[] = {8};
    CHECK(read_all(unknown, sizeof unknown, &problem) == 0 && problem != NULL);
}

static void noise_is_read_within_its_bounds(void)
{
    uint32_t state = 1;
    uint8_t noise[200];
    for (int round = 0; round < 200000; round++) {
        size_t length = (size_t)(round % (int)sizeof noise);
        for (size_t i = 0; i < length; i++) {
            state = state * 1664525u + 1013904223u;
            /* Mostly small numbers: valid tags and short lengths, so that the reading gets far. */
            noise[i] = (uint8_t)(state >> 24) < 200 ? (uint8_t)(state >> 16 & 7) : (uint8_t)(state >> 16);
        }
        stk_packed_problem problem;
        CHECK(read_all(noise, length, &problem) <= length);
    }
}

static stk_bytes_view view(const char *text)
{
    return (stk_bytes_view){(const uint8_t *)text, strlen(text)};
}

static void whole_numbers_are_exact_or_refused(void)
{
    static const struct {
        const char *text;
        int64_t number;
    } good[] = {{"0", 0}, {"-0", 0}, {"+7", 7}, {"12.000", 12}, {"9223372036854775807", INT64_MAX}, {"-9223372036854775808", INT64_MIN}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t number = 1;
        CHECK(stk_parse_int(view(good[i].text), &number) && number == good[i].number);
    }
    static const char *bad[] = {"", "-", "+", ".", "1.5", " 1", "1 ", "0x1", "9223372036854775808", "-9223372036854775809", "1e3", "--1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t number = 1;
        CHECK(!stk_parse_int(view(bad[i]), &number));
    }
}

static void numbers_are_decimal_or_refused(void)
{
    double number = 0;
    CHECK(stk_parse_float(view("1.25e2"), &number) && number == 125.0);
    CHECK(stk_parse_float(view("-0.5"), &number) && number == -0.5);
    static const char *bad[] = {"", "nan", "inf", "0x1p3", "1e999", " 1", "1,5", "e", "-"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) CHECK(!stk_parse_float(view(bad[i]), &number));
    char longest[1000];
    memset(longest, '1', sizeof longest);
    CHECK(!stk_parse_float((stk_bytes_view){(const uint8_t *)longest, sizeof longest}, &number));
}

static void moments_are_rfc_3339(void)
{
    static const struct {
        stk_datetime moment;
        const char *text;
    } cases[] = {{{0, 0}, "1970-01-01T00:00:00.000000Z"},
                 {{951782400, 1000}, "2000-02-29T00:00:00.000001Z"},
                 {{4107542399, 999999999}, "2100-02-28T23:59:59.999999Z"},
                 {{-1, 0}, "1969-12-31T23:59:59.000000Z"}};
    char text[STK_DATETIME_SIZE];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stk_datetime_write(cases[i].moment, text);
        CHECK(strcmp(text, cases[i].text) == 0);
    }
    stk_datetime_write((stk_datetime){INT64_MAX, UINT32_MAX}, text);
    stk_datetime_write((stk_datetime){INT64_MIN, 0}, text);
}

/* The length of what is UTF-8, and the text repaired; on the heap, where a read beyond it is seen. */
static void check_text(const char *bytes, size_t valid, const char *repaired)
{
    size_t length = strlen(bytes);
    uint8_t *copy = copy_of((const uint8_t *)bytes, length);
    CHECK(stk_utf8_length(copy, length) == valid);
    stk_utf8_repair(copy, length);
    CHECK(length == strlen(repaired) && memcmp(copy, repaired, length) == 0);
    free(copy);
}

static void what_is_no_text_is_found_and_repaired(void)
{
    check_text("", 0, "");
    check_text("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf", 14, "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf");
    check_text("a\xffz", 1, "a?z");
    check_text("\x80", 0, "?");
    check_text("a\xc3", 1, "a?");
    check_text("\xe2\x82z", 0, "??z");
    check_text("\xf0\x9f\x98", 0, "???");
    check_text("\xc0\x80", 0, "??");
    check_text("\xe0\x80\x80", 0, "???");
    check_text("\xed\xa0\x80", 0, "???");
    check_text("\xf0\x80\x80\x80", 0, "????");
    check_text("\xf4\x90\x80\x80", 0, "????");
    check_text("\xf8\x88\x80\x80", 0, "????");
    CHECK(stk_utf8_length(NULL, 5) == 0);
    stk_utf8_repair(NULL, 5);
}

static void text_is_cut_between_characters(void)
{
    const uint8_t text[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80";
    static const size_t cuts[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10};
    for (size_t length = 0; length < sizeof cuts / sizeof *cuts; length++) CHECK(stk_utf8_cut(text, length) == cuts[length]);
    const uint8_t none[] = {0x80, 0x80, 0x80, 0x80, 0x80};
    CHECK(stk_utf8_cut(none, sizeof none) == sizeof none);
}

int main(void)
{
    every_kind_of_cell_is_read();
    what_is_cut_short_is_a_problem_and_never_read_beyond();
    noise_is_read_within_its_bounds();
    whole_numbers_are_exact_or_refused();
    numbers_are_decimal_or_refused();
    moments_are_rfc_3339();
    what_is_no_text_is_found_and_repaired();
    text_is_cut_between_characters();
    return 0;
}
