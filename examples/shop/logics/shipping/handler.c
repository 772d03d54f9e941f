// The logic `shipping`: what it costs to send a weight to a country, from the table of rates.

#include <project.h> // written by `stk`: the columns of the tables and the params of the logics
#include <santokit.h>

// The countries that are sent to, for who asked for another one.
static json_t *countries(stk_db *db)
{
    json_t *names = json_array();
    stk_rows *rows = stk_query(db, "SELECT DISTINCT country FROM shippingRates ORDER BY country", STK_NO_PARAMS);
    while (stk_next(rows)) json_array_append_new(names, json_string(stk_get_text(rows, "country")));
    return json_pack("{s:o}", "countries", names);
}

json_t *stk_handle(const json_t *input)
{
    const char *country = json_string_value(json_object_get(input, SHIPPING_PARAM_COUNTRY));
    json_int_t grams = json_integer_value(json_object_get(input, SHIPPING_PARAM_GRAMS));

    stk_db *db = stk_open("main");
    stk_rows *rates = stk_query(db, "SELECT " SHIPPING_RATES_COLUMNS " FROM shippingRates WHERE country = ? ORDER BY maxGrams",
                                STK_PARAMS(stk_text(country)));
    json_int_t heaviest = 0;
    while (stk_next(rates)) {
        heaviest = stk_cell(rates, SHIPPING_RATES_MAX_GRAMS).as.integer;
        if (grams > heaviest) continue;
        json_int_t price = stk_cell(rates, SHIPPING_RATES_PRICE_CENTS).as.integer;
        return json_pack("{s:s,s:I,s:I}", "country", country, "upToGrams", heaviest, "priceCents", price);
    }
    if (stk_failed()) return NULL; // the database has said why
    if (heaviest == 0) return stk_error("NO_SHIPPING", "nothing is sent there", countries(db));
    return stk_error("TOO_HEAVY", "that is too heavy for one parcel", json_pack("{s:I}", "mostGrams", heaviest));
}
