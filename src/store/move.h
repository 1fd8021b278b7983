/* Moves everything that one store holds to another one: from a file of SQLite to PostgreSQL. */
#pragma once
#include "store/store.h"

struct store_move_table {
    const char *name;
    int64_t rows;
    char checksum[65]; /* SHA-256 over all rows in the order of their keys, each value with its kind and size */
};

struct store_move_options {
    struct store *from, *to;
    const char *source; /* names `from`, the same in each run: a move that was interrupted goes on only with it */
    size_t batch_rows;  /* of one transaction; 0 = 500 */
    bool (*go_on)(void *user); /* asked between transactions; NULL: always; false: ERR_ABORTED */
    void (*copied)(void *user, const char *table, int64_t rows);        /* by this run; may be NULL */
    void (*verified)(void *user, const struct store_move_table *table); /* the same on both sides; may be NULL */
    void *user;
};

/* May be interrupted at any point and run again: it goes on where it stopped. After all is copied both sides are read
 * once more and compared. After that it only compares. Nobody else may write to either store meanwhile. ERR_CONFLICT:
 * `to` holds other data, or a table differs afterwards (field: the table). ERR_VALIDATION: it is not from SQLite to
 * PostgreSQL. */
enum err store_move(const struct store_move_options *options, struct error *reterr) ERROR_MUST_CHECK;

/* The version of the schema of an open store. */
enum err store_schema_version(struct store *store, int64_t *ret, struct error *reterr) ERROR_MUST_CHECK;
