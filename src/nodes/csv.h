/* CSV as in RFC 4180, with any one-character delimiter and either line end. */
#pragma once
#include "json/json.h"

struct csv_options {
    char delimiter;  /* not a quote, CR or LF */
    bool has_header; /* else columns are named column1, column2 … */
    bool numbers;    /* text that a number prints as becomes that number (so 007 and 1e3 stay text) */
    size_t max_rows;
};

/* Array of objects; the columns' names into *ret_columns. ERR_NODE with the line when it is broken, ERR_LIMIT for too
 * many rows or columns. A UTF-8 byte order mark is skipped; text that is no UTF-8 is refused. */
enum err csv_parse(const char *text, size_t len, const struct csv_options *options, struct json **ret_rows,
                   struct json **ret_columns, struct error *reterr) ERROR_MUST_CHECK;

/* Rows are objects; columns in order of first appearance. Lists and objects inside are written as JSON. ERR_VALIDATION
 * (field data[i]) for a row that is no object. */
enum err csv_format(const struct json *rows, char delimiter, struct buf *out, struct error *reterr) ERROR_MUST_CHECK;
