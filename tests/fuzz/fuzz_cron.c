/* Cron expressions from outside: what is accepted has instants that go forward. */
#include "base/mem.h"
#include "flow/cron.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mem_dup_n((const char *)data, size);
    struct error error;
    int64_t at = INT64_C(1750000000000), next;
    for (int i = 0; i < 3 && cron_next_text(text, "Europe/Madrid", at, &next, &error) == ERR_OK; i++) {
        if (next <= at)
            abort();
        at = next;
    }
    free(text);
    return 0;
}
