/* What the files of the move share. */
#pragma once
#include "store/move.h"
#include "store/sql/sql_int.h"

enum { MOVE_COLUMNS_MAX = 40 };

struct move_table {
    const char *name;    /* in PostgreSQL */
    const char *source;  /* what holds the same rows in SQLite, where an execution's rows refer to its number */
    const char *columns; /* the key's first */
    const char *kinds;   /* one letter each: t text · i number · b bytes */
    int keys;
    const char *insert; /* a literal: statements are cached by its address */
};
extern const struct move_table move_tables[]; /* ends with name NULL */
