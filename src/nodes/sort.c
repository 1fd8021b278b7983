/* sort: puts records in order by several keys. */
#include "nodes/records.h"

#include "base/clock.h"
#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MAX 10

enum key_type { AUTO, NUMBER, TEXT, DATE };
static const char *const type_names[] = {"auto", "number", "text", "date", NULL};

struct key {
    const char *field;
    enum key_type type;
    bool descending, nulls_first;
};

/* A record's value under one key, made once before sorting. */
struct cell {
    int rank; /* kinds in order; 0: null or missing */
    double number;
    char *text; /* owned, or NULL */
    size_t len;
};

struct row {
    size_t index; /* its place in the input: equal rows keep it */
    struct cell *cells;
};

struct sorting {
    struct key keys[KEYS_MAX];
    size_t key_count;
    struct cell *cells; /* row after row */
    struct row *rows;
    size_t count;
};

static void sorting_done(struct sorting *sorting)
{
    for (size_t i = 0; i < sorting->count * sorting->key_count; i++)
        free(sorting->cells[i].text);
    free(sorting->cells);
    free(sorting->rows);
}

static void set_text(struct cell *cell, const struct value *value)
{
    struct buf text;
    buf_init(&text, 0);
    if (json_is(value->json, JSON_ARRAY) || json_is(value->json, JSON_OBJECT))
        json_print(value->json, &text);
    else
        value_add_text(value, &text);
    cell->len = text.len;
    cell->text = mem_dup_n(buf_str(&text), text.len);
    buf_done(&text);
}

/* false: the value is not of the key's type. */
static bool fill(struct cell *cell, const struct key *key, const struct value *value)
{
    enum json_kind kind = json_kind(value->json);
    int64_t ms = 0;
    if (kind == JSON_NULL)
        return true;
    cell->rank = 1;
    switch (key->type) {
    case NUMBER:
        return records_number(value, &cell->number);
    case TEXT:
        set_text(cell, value);
        return true;
    case DATE:
        if (json_is_number(value->json))
            ms = json_as_int(value->json);
        else if (kind != JSON_STRING || clock_parse_iso(json_as_str(value->json), &ms) != 0)
            return false;
        cell->number = (double)ms;
        return true;
    case AUTO:
        break;
    }
    cell->rank = kind == JSON_BOOL ? 1 : kind == JSON_INT || kind == JSON_DOUBLE ? 2 : kind == JSON_STRING ? 3 : 4;
    if (cell->rank <= 2)
        cell->number = kind == JSON_BOOL ? json_as_bool(value->json) : json_as_double(value->json);
    else
        set_text(cell, value);
    return true;
}

static int compare_cells(const struct cell *a, const struct cell *b, const struct key *key)
{
    if (a->rank == 0 || b->rank == 0) /* nulls stand where they are told, whatever the direction */
        return a->rank == b->rank ? 0 : (a->rank == 0) == key->nulls_first ? -1 : 1;
    int order = a->rank - b->rank;
    if (order == 0)
        order = a->text != NULL ? value_compare_utf16(a->text, a->len, b->text, b->len)
                                : (a->number > b->number) - (a->number < b->number);
    return key->descending ? (order < 0) - (order > 0) : order;
}

static int compare_rows(const void *left, const void *right, void *user)
{
    const struct row *a = left, *b = right;
    const struct sorting *sorting = user;
    int order = 0;
    for (size_t i = 0; i < sorting->key_count && order == 0; i++)
        order = compare_cells(&a->cells[i], &b->cells[i], &sorting->keys[i]);
    return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

static void read_keys(const struct json *list, struct sorting *sorting)
{
    sorting->key_count = json_count(list);
    for (size_t i = 0; i < sorting->key_count; i++) {
        const struct json *entry = json_at(list, i);
        const char *type = json_get_str(entry, "type"), *direction = json_get_str(entry, "direction"),
                   *nulls = json_get_str(entry, "nulls");
        struct key *key = &sorting->keys[i];
        key->field = json_get_str(entry, "field");
        while (type != NULL && strcmp(type_names[key->type], type) != 0)
            key->type++;
        key->descending = direction != NULL && strcmp(direction, "desc") == 0;
        key->nulls_first = nulls != NULL && strcmp(nulls, "first") == 0;
    }
}

static enum err fill_rows(const struct json *data, struct sorting *sorting, struct error *reterr)
{
    sorting->count = json_count(data);
    sorting->rows = mem_array(sorting->count + 1, sizeof *sorting->rows);
    sorting->cells = mem_array(sorting->count * sorting->key_count + 1, sizeof *sorting->cells);
    for (size_t i = 0; i < sorting->count; i++) {
        struct row *row = &sorting->rows[i];
        *row = (struct row){.index = i, .cells = &sorting->cells[i * sorting->key_count]};
        for (size_t k = 0; k < sorting->key_count; k++) {
            const struct key *key = &sorting->keys[k];
            AUTO_VALUE struct value value = value_at_path(json_at(data, i), key->field);
            if (fill(&row->cells[k], key, &value))
                continue;
            char path[160];
            (void)snprintf(path, sizeof path, "data[%zu].%.100s", i, key->field);
            return error_set(reterr, ERR_NODE, path, "%s must be a %s to be sorted as one.", path,
                             type_names[key->type]);
        }
    }
    return ERR_OK;
}

static enum err execute(struct node_call *call, struct error *reterr)
{
    const struct json *data = NULL;
    enum err code = records_check(call, "data", &data, reterr);
    if (code != ERR_OK)
        return code;
    struct sorting sorting = {0};
    read_keys(json_get(call->inputs, "keys"), &sorting);
    code = fill_rows(data, &sorting, reterr);
    if (code == ERR_OK) {
        struct json *sorted = json_array_new();
        qsort_r(sorting.rows, sorting.count, sizeof *sorting.rows, compare_rows, &sorting);
        for (size_t i = 0; i < sorting.count; i++)
            json_push(sorted, json_ref(json_at(data, sorting.rows[i].index)));
        call->records = (int64_t)sorting.count;
        node_call_set(call, "sorted", sorted);
        node_call_set(call, "count", json_int_new(call->records));
    }
    sorting_done(&sorting);
    return code;
}

static const char *const directions[] = {"asc", "desc", NULL};
static const char *const places[] = {"first", "last", NULL};
static const struct flow_pin inputs[] = {
    {.name = "data", .type = "array", .required = true, .description = "The records."}, {0}};
static const struct flow_pin outputs[] = {{.name = "sorted", .type = "array", .description = "The records in order."},
                                          {.name = "count", .type = "number", .description = "How many there are."},
                                          {0}};
static const struct flow_rule rules[] = {
    {"data-filter", "sorted", "data", "full"}, {"field-mapper", "sorted", "source", "full"}, {0}};
static const struct field key_fields[] = {
    {.name = "field",
     .kind = FIELD_STRING,
     .required = true,
     .max = 500,
     .help = "Dotted path in the record; empty: the record itself."},
    {.name = "direction",
     .kind = FIELD_ENUM,
     .values = directions,
     .default_json = "\"asc\"",
     .help = "Least first, or most first."},
    {.name = "type",
     .kind = FIELD_ENUM,
     .values = type_names,
     .default_json = "\"auto\"",
     .help = "auto keeps kinds apart: booleans, numbers, text, the rest. number, text and date compare all as one."},
    {.name = "nulls",
     .kind = FIELD_ENUM,
     .values = places,
     .default_json = "\"last\"",
     .help = "Where records without a value stand, whatever the direction."},
    {0}};
static const struct field fields[] = {
    {.name = "keys",
     .kind = FIELD_ARRAY,
     .fields = key_fields,
     .required = true,
     .min = 1,
     .max = KEYS_MAX,
     .help = "The first key decides; the next ones among those that are equal so far."},
    {.name = "data", .kind = FIELD_ARRAY, .label = "Records", .help = "The records, when no connection brings them."},
    {0}};
static const struct node_example examples[] = {
    {"By country, the largest first", "Equal records keep the order they came in.",
     "{\"data\":[{\"c\":\"PT\",\"n\":1},{\"c\":\"ES\",\"n\":2},{\"c\":\"ES\",\"n\":30},{\"n\":4}],"
     "\"keys\":[{\"field\":\"c\"},{\"field\":\"n\",\"direction\":\"desc\",\"type\":\"number\"}]}",
     "{\"sorted\":[{\"c\":\"ES\",\"n\":30},{\"c\":\"ES\",\"n\":2},{\"c\":\"PT\",\"n\":1},{\"n\":4}],\"count\":4}"},
    {0}};
static const struct node_trouble troubles[] = {{"data[3].total must be a number to be sorted as one",
                                                "A record holds text that reads as no number.",
                                                "Filter such records out, or sort with type auto."},
                                               {0}};

const struct node_type node_sort = {
    .spec = {.type = "sort",
             .inputs = inputs,
             .outputs = outputs,
             .rules = rules,
             .fields = fields,
             .data_input = "data",
             .pure = true},
    .name = "Sort",
    .version = "1.0.0",
    .description = "Puts records in order by one or several fields.",
    .category = "transformation",
    .icon = "sort",
    .timeout_ms = 15000,
    .concurrency = 1,
    .batch_size = 5000,
    .tags = (const char *const[]){"transformation", "order", NULL},
    .related = (const char *const[]){"limit", "deduplicate", "summarize", NULL},
    .purpose = "Use it to rank records, or before limit to keep the best ones.",
    .limitations = (const char *const[]){"Text is compared by UTF-16 code units, as JavaScript does: Z before a.",
                                         "Dates are ISO times from 1970 on, or milliseconds.", NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_INLINE,
    .execute = execute,
};
