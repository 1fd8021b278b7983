/* Clocks, the seeded generator, UUIDs and the stable hash. */
#include "base/clock.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

int64_t clock_now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t clock_monotonic_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

#define YEAR_0_MS (-62167219200000)
#define YEAR_9999_MS 253402300799999 /* RFC 3339 has four digits */

/* snprintf was one part in forty of an execution. */
static void put_digits(char *at, int count, int number)
{
    for (; count > 0; number /= 10)
        at[--count] = (char)('0' + number % 10);
}

void clock_format_iso(int64_t ms, char out[ISO_TEXT_BYTES])
{
    ms = ms < YEAR_0_MS ? YEAR_0_MS : ms > YEAR_9999_MS ? YEAR_9999_MS : ms;
    int64_t seconds = ms >= 0 ? ms / 1000 : -((999 - ms) / 1000);
    time_t t = (time_t)seconds;
    struct tm tm;
    gmtime_r(&t, &tm);
    memcpy(out, "0000-00-00T00:00:00.000Z", 25);
    put_digits(out, 4, tm.tm_year + 1900);
    put_digits(out + 5, 2, tm.tm_mon + 1);
    put_digits(out + 8, 2, tm.tm_mday);
    put_digits(out + 11, 2, tm.tm_hour);
    put_digits(out + 14, 2, tm.tm_min);
    put_digits(out + 17, 2, tm.tm_sec);
    put_digits(out + 20, 3, (int)(ms - seconds * 1000));
}

static int parse_zone(const char *text, int *ret_minutes)
{
    if ((*text == 'Z' || *text == 'z') && text[1] == '\0')
        return *ret_minutes = 0, 0;
    int h, m, n = 0;
    if ((*text != '+' && *text != '-') || sscanf(text + 1, "%2d:%2d%n", &h, &m, &n) != 2 || text[1 + n] != '\0' ||
        h > 23 || m > 59)
        return -1;
    *ret_minutes = (*text == '-' ? -1 : 1) * (h * 60 + m);
    return 0;
}

/* `pattern` has 0 for a digit; everything else stands for itself. */
static bool has_form(const char *text, const char *pattern)
{
    for (; *pattern != '\0'; text++, pattern++)
        if (*pattern == '0' ? !isdigit((unsigned char)*text) : *text != *pattern)
            return false;
    return true;
}

static int days_of(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

int clock_parse_iso(const char *text, int64_t *ret_ms)
{
    int year, month, day, hour = 0, minute = 0, second = 0, n = 0, zone = 0;
    int64_t ms = 0;
    if (!has_form(text, "0000-00-00") || sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &n) != 3)
        return -1;
    text += n;
    if (*text == 'T' || *text == 't' || *text == ' ') {
        n = 0;
        if (!has_form(text + 1, "00:00:00") || sscanf(text + 1, "%2d:%2d:%2d%n", &hour, &minute, &second, &n) != 3)
            return -1;
        text += 1 + n;
        if (*text == '.') {
            int scale = 100;
            for (text++; isdigit((unsigned char)*text); text++, scale /= 10)
                ms += (*text - '0') * scale;
        }
        if (*text != '\0' && parse_zone(text, &zone) != 0)
            return -1;
    } else if (*text != '\0') {
        return -1;
    }
    if (month < 1 || month > 12 || day < 1 || day > days_of(year, month) || hour > 23 || minute > 59 || second > 60 ||
        year < 1970)
        return -1;
    struct tm tm = {.tm_year = year - 1900,
                    .tm_mon = month - 1,
                    .tm_mday = day,
                    .tm_hour = hour,
                    .tm_min = minute - zone,
                    .tm_sec = second};
    *ret_ms = (int64_t)timegm(&tm) * 1000 + ms;
    return 0;
}

void rng_init_from_system(struct rng *rng)
{
    if (getrandom(&rng->state, sizeof rng->state, 0) != sizeof rng->state)
        rng->state = (uint64_t)clock_monotonic_us();
}

uint64_t rng_next(struct rng *rng)
{
    uint64_t z = (rng->state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

uint64_t rng_below(struct rng *rng, uint64_t n)
{
    return rng_next(rng) % n;
}

double rng_unit(struct rng *rng)
{
    return (double)(rng_next(rng) >> 11) / 9007199254740992.0;
}

/* The last digits of a number. */
static void put_hex(char *out, uint64_t value, int digits)
{
    for (int i = digits; i-- > 0; value >>= 4)
        out[i] = "0123456789abcdef"[value & 15];
}

void id_format(int64_t now_ms, struct rng *rng, char out[ID_TEXT_BYTES])
{
    uint64_t a = rng_next(rng), b = rng_next(rng), t = (uint64_t)now_ms;
    put_hex(out, t >> 16, 8);
    put_hex(out + 9, t, 4);
    put_hex(out + 14, 0x7000 | (a & 0xFFF), 4);
    put_hex(out + 19, 0x8000 | ((a >> 12) & 0x3FFF), 4);
    put_hex(out + 24, b, 12);
    out[8] = out[13] = out[18] = out[23] = '-';
    out[36] = '\0';
}

void id_new(char out[ID_TEXT_BYTES])
{
    static _Thread_local struct rng rng;
    if (rng.state == 0)
        rng_init_from_system(&rng);
    id_format(clock_now_ms(), &rng, out);
}

int id_is_valid(const char *text)
{
    for (int i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
            return 0;
    }
    return text[36] == '\0';
}

uint64_t hash_bytes(const void *bytes, size_t n)
{
    uint64_t h = 0xCBF29CE484222325u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ ((const unsigned char *)bytes)[i]) * 0x100000001B3u;
    h ^= h >> 33;
    h *= 0xFF51AFD7ED558CCDu;
    return h ^ (h >> 33);
}

uint64_t hash_str(const char *text)
{
    return hash_bytes(text, strlen(text));
}

unsigned id_shard(const char *execution_id, unsigned shards)
{
    return (unsigned)(hash_str(execution_id) % shards);
}
