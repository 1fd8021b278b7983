/* CSV from outside. */
#include "nodes/csv.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json *rows = NULL, *columns = NULL;
    struct error error;
    struct csv_options options = {.delimiter = ',', .has_header = size % 2 == 0, .numbers = true, .max_rows = 1000};
    if (csv_parse((const char *)data, size, &options, &rows, &columns, &error) == ERR_OK) {
        json_unref(rows);
        json_unref(columns);
    }
    return 0;
}
