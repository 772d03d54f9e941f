#include "datetime.h"

#include <stdio.h>

#define DAY 86400

static int64_t floor_div(int64_t dividend, int64_t divisor)
{
    int64_t quotient = dividend / divisor;
    return dividend % divisor < 0 ? quotient - 1 : quotient;
}

/*
 * The Gregorian date of a day counted from 1970-01-01. The era of 400 years begins in March, so that the leap day is the last
 * of its year.
 */
void stk_datetime_write(stk_datetime moment, char text[STK_DATETIME_SIZE])
{
    int64_t days = floor_div(moment.seconds, DAY);
    int second = (int)((moment.seconds % DAY + DAY) % DAY);
    days += 719468;
    int64_t era = floor_div(days, 146097);
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    int day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    int month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    long long year = (long long)(year_of_era + era * 400 + (month <= 2 ? 1 : 0));
    unsigned micros = (unsigned)(moment.nanoseconds / 1000 % 1000000);
    snprintf(text, STK_DATETIME_SIZE, "%04lld-%02d-%02dT%02d:%02d:%02d.%06uZ", year, month, day, second / 3600,
             second / 60 % 60, second % 60, micros);
}
