/* What lists counted, given again for a moment. Counting reads each row that the list has, so that a page which is
 * asked for a hundred times a second would keep a processor busy with numbers nobody reads. Private to src/store/. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { TOTALS_EXACT_BELOW = 1000 }; /* shorter lists are counted each time: it is quick, and each change is seen */

/* Until when what took from began_us to now_us to find is given again: nineteen times as long, 5 s at the most, so that
 * finding it takes a twentieth of a processor at the most however often it is asked for. */
int64_t totals_until_us(int64_t began_us, int64_t now_us);

struct totals; /* any thread */
struct totals *totals_new(void);
void totals_free(struct totals *totals); /* NULL: nothing */
bool totals_find(struct totals *totals, const char *key, int64_t now_us, int64_t *ret);
/* Kept unless it is below TOTALS_EXACT_BELOW; the one that ends first makes room. */
void totals_keep(struct totals *totals, const char *key, int64_t total, int64_t until_us);
