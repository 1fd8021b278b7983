/* Time, randomness and ids. Those who decide take them as parameters; only the shell calls the clock. */
#pragma once
#include <stddef.h>
#include <stdint.h>

int64_t clock_now_ms(void);       /* wall clock, Unix epoch */
int64_t clock_monotonic_us(void); /* never goes back */

#define ISO_TEXT_BYTES 32
void clock_format_iso(int64_t ms, char out[ISO_TEXT_BYTES]); /* 2025-01-02T03:04:05.678Z; within the years 0 to 9999 */
int clock_parse_iso(const char *text, int64_t *ret_ms);      /* RFC 3339 date-time or date, from 1970 on; 0, or -1 */

/* Seeded generator (SplitMix64): the same seed gives the same sequence. */
struct rng {
    uint64_t state;
};
void rng_init_from_system(struct rng *rng);
uint64_t rng_next(struct rng *rng);
uint64_t rng_below(struct rng *rng, uint64_t n); /* 0..n-1, n > 0 */
double rng_unit(struct rng *rng);                /* [0,1) */

#define ID_TEXT_BYTES 37
/* UUID version 7 (RFC 9562) of that time: ids sort by creation. */
void id_format(int64_t now_ms, struct rng *rng, char out[ID_TEXT_BYTES]);
void id_new(char out[ID_TEXT_BYTES]); /* with the system's time and randomness; thread-safe */
int id_is_valid(const char *text);    /* 8-4-4-4-12 hex, any version (api-contract 1.1) */

uint64_t hash_bytes(const void *bytes, size_t n); /* FNV-1a with a final mix; stable across machines */
uint64_t hash_str(const char *text);
unsigned id_shard(const char *execution_id, unsigned shards); /* hash mod shards */
