/* summarize (aggregate): groups records and computes figures of each group. */
#include "nodes/records.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIGURES_MAX 50
#define GROUP_FIELDS_MAX 10
#define GROUPS_MAX 100000

enum operation { COUNT, SUM, AVG, MIN, MAX, COLLECT, DISTINCT };
static const char *const operation_names[] = {"count", "sum", "avg", "min", "max", "collect", "distinct", NULL};

struct figure {
    enum operation operation;
    const char *field; /* NULL: count records */
    char *as;
};

struct cell {
    int64_t count, whole; /* whole: the sum while it is an integer */
    double sum, lost;     /* Neumaier's compensation */
    bool is_fraction;
    struct value best; /* of min and max; owns when the record's value was made */
    struct json *list; /* of collect and distinct */
    struct map seen;   /* of distinct: keys of the values in the list */
};

struct group {
    struct json *row;
    char *key;
    struct cell *cells;
    size_t next; /* in its bucket, + 1 */
};

struct summary {
    const char *by[GROUP_FIELDS_MAX];
    size_t by_count;
    struct figure figures[FIGURES_MAX];
    size_t figure_count;
    struct group *groups;
    size_t count, cap;
    size_t *buckets, bucket_count; /* index + 1 into groups */
};

static void cell_done(struct cell *cell)
{
    value_done(&cell->best);
    json_unref(cell->list);
    map_done(&cell->seen);
}

static void summary_done(struct summary *summary)
{
    for (size_t i = 0; i < summary->count; i++) {
        for (size_t k = 0; k < summary->figure_count; k++)
            cell_done(&summary->groups[i].cells[k]);
        json_unref(summary->groups[i].row);
        free(summary->groups[i].key);
        free(summary->groups[i].cells);
    }
    for (size_t i = 0; i < summary->figure_count; i++)
        free(summary->figures[i].as);
    free(summary->groups);
    free(summary->buckets);
}

static enum err parse_figures(const struct json *list, struct summary *summary, struct error *reterr)
{
    for (size_t i = 0, n = json_count(list); i < n; i++) {
        const struct json *entry = json_at(list, i);
        struct figure *figure = &summary->figures[summary->figure_count];
        const char *name = json_get_str(entry, "operation"), *as = json_get_str(entry, "as");
        figure->operation = COUNT;
        while (strcmp(operation_names[figure->operation], name) != 0)
            figure->operation++;
        figure->field = json_get_str(entry, "field");
        if (figure->operation != COUNT && figure->operation != COLLECT && figure->field == NULL) {
            char path[64];
            (void)snprintf(path, sizeof path, "operations[%zu].field", i);
            return error_set(reterr, ERR_VALIDATION, path, "%s is required: %s needs a field.", path, name);
        }
        figure->as = as != NULL              ? mem_dup(as)
                     : figure->field == NULL ? mem_dup(name)
                                             : mem_printf("%s_%s", name, figure->field);
        summary->figure_count++;
    }
    return ERR_OK;
}

static void rehash(struct summary *summary)
{
    free(summary->buckets);
    summary->bucket_count = summary->bucket_count == 0 ? 64 : summary->bucket_count * 4;
    summary->buckets = mem_array(summary->bucket_count, sizeof *summary->buckets);
    for (size_t i = 0; i < summary->count; i++) {
        size_t *bucket = &summary->buckets[hash_str(summary->groups[i].key) % summary->bucket_count];
        summary->groups[i].next = *bucket;
        *bucket = i + 1;
    }
}

static struct group *find_group(struct summary *summary, const struct json *record, struct buf *key)
{
    buf_clear(key);
    if (summary->by_count > 0)
        (void)records_add_keys(record, summary->by, summary->by_count, key); /* missing groups with null */
    if (summary->count >= summary->bucket_count)
        rehash(summary);
    size_t *bucket = &summary->buckets[hash_str(buf_str(key)) % summary->bucket_count];
    for (size_t i = *bucket; i != 0; i = summary->groups[i - 1].next)
        if (strcmp(summary->groups[i - 1].key, buf_str(key)) == 0)
            return &summary->groups[i - 1];
    if (summary->count == GROUPS_MAX)
        return NULL;
    if (summary->count == summary->cap) {
        summary->cap = summary->cap == 0 ? 16 : summary->cap * 2;
        summary->groups = mem_resize(summary->groups, summary->cap * sizeof *summary->groups);
    }
    struct group *group = &summary->groups[summary->count];
    *group = (struct group){
        .row = json_object_new(),
        .key = mem_dup(buf_str(key)),
        .next = *bucket,
        .cells = mem_array(summary->figure_count == 0 ? 1 : summary->figure_count, sizeof *group->cells)};
    *bucket = ++summary->count;
    for (size_t i = 0; i < summary->by_count; i++) {
        AUTO_VALUE struct value value = value_at_path(record, summary->by[i]);
        json_set(group->row, summary->by[i], json_ref(value.json));
    }
    return group;
}

static void add_number(struct cell *cell, const struct value *value, double number)
{
    if (!cell->is_fraction && (!json_is(value->json, JSON_INT) ||
                               __builtin_add_overflow(cell->whole, json_as_int(value->json), &cell->whole)))
        cell->is_fraction = true;
    double sum = cell->sum + number;
    cell->lost += fabs(cell->sum) >= fabs(number) ? (cell->sum - sum) + number : (number - sum) + cell->sum;
    cell->sum = sum;
}

static bool is_better(const struct cell *cell, const struct value *value, enum operation operation)
{
    double a, b;
    if (!cell->best.present)
        return true;
    enum value_order order = records_number(value, &a) && records_number(&cell->best, &b)
                                 ? (a < b   ? VALUE_LESS
                                    : a > b ? VALUE_GREATER
                                            : VALUE_SAME)
                                 : value_compare(value, &cell->best);
    return order == (operation == MIN ? VALUE_LESS : VALUE_GREATER);
}

/* distinct leaves out what is in the list already. */
static void collect(struct cell *cell, const struct value *value, bool all)
{
    AUTO_BUF struct buf key;
    buf_init(&key, 0);
    records_add_key(value->json, &key);
    if (cell->list == NULL)
        cell->list = json_array_new();
    if (all || map_put(&cell->seen, buf_str(&key), cell) == NULL)
        json_push(cell->list, json_ref(value->json));
}

static bool add(struct cell *cell, const struct figure *figure, const struct json *record)
{
    if (figure->operation == COUNT && figure->field == NULL) {
        cell->count++;
        return true;
    }
    struct value value = value_at_path(record, figure->field == NULL ? "" : figure->field);
    double number = 0;
    bool fine = true;
    if (value.json == NULL) { /* missing or null: takes no part */
        value_done(&value);
        return true;
    }
    if (figure->operation == SUM || figure->operation == AVG) {
        fine = records_number(&value, &number);
        if (fine)
            add_number(cell, &value, number);
    } else if (figure->operation == COLLECT || figure->operation == DISTINCT) {
        collect(cell, &value, figure->operation == COLLECT);
    } else if (figure->operation != COUNT && is_better(cell, &value, figure->operation)) {
        value_done(&cell->best);
        cell->best = value;
        value = (struct value){0};
    }
    cell->count += fine;
    value_done(&value);
    return fine;
}

static struct json *number_json(double number)
{
    return floor(number) == number && fabs(number) < 9e15 ? json_int_new((int64_t)number) : json_double_new(number);
}

static struct json *result(const struct cell *cell, enum operation operation)
{
    switch (operation) {
    case COUNT:
        return json_int_new(cell->count);
    case SUM:
        return cell->is_fraction ? number_json(cell->sum + cell->lost) : json_int_new(cell->whole);
    case AVG:
        return cell->count == 0 ? NULL : number_json((cell->sum + cell->lost) / (double)cell->count);
    case MIN:
    case MAX:
        return json_ref(cell->best.json);
    case COLLECT:
    case DISTINCT:
        return cell->list == NULL ? json_array_new() : json_ref(cell->list);
    }
    return NULL;
}

static enum err run(struct node_call *call, const struct json *data, struct summary *summary, struct error *reterr)
{
    struct buf key;
    buf_init(&key, 0);
    enum err code = ERR_OK;
    if (summary->by_count == 0)
        (void)find_group(summary, NULL, &key); /* figures of everything, of nothing too */
    for (size_t i = 0, n = json_count(data); i < n && code == ERR_OK; i++) {
        struct group *group = find_group(summary, json_at(data, i), &key);
        if (group == NULL)
            code = error_set(reterr, ERR_LIMIT, "groupBy", "groupBy makes more than %d groups.", GROUPS_MAX);
        for (size_t k = 0; k < summary->figure_count && code == ERR_OK; k++) {
            if (add(&group->cells[k], &summary->figures[k], json_at(data, i)))
                continue;
            char path[160];
            (void)snprintf(path, sizeof path, "data[%zu].%.100s", i, summary->figures[k].field);
            code = error_set(reterr, ERR_NODE, path, "%s must be a number to be summed.", path);
        }
    }
    buf_done(&key);
    if (code != ERR_OK)
        return code;
    struct json *rows = json_array_new();
    for (size_t i = 0; i < summary->count; i++) {
        for (size_t k = 0; k < summary->figure_count; k++)
            json_set(summary->groups[i].row, summary->figures[k].as,
                     result(&summary->groups[i].cells[k], summary->figures[k].operation));
        json_push(rows, json_ref(summary->groups[i].row));
    }
    call->records = (int64_t)json_count(data);
    node_call_set(call, "summary", rows);
    node_call_set(call, "count", json_int_new((int64_t)summary->count));
    return ERR_OK;
}

static enum err execute(struct node_call *call, struct error *reterr)
{
    const struct json *data = NULL;
    enum err code = records_check(call, "data", &data, reterr);
    if (code != ERR_OK)
        return code;
    struct summary summary = {0};
    code = records_fields(json_get(call->inputs, "groupBy"), "groupBy", GROUP_FIELDS_MAX, summary.by, &summary.by_count,
                          reterr);
    if (code == ERR_OK)
        code = parse_figures(json_get(call->inputs, "operations"), &summary, reterr);
    if (code == ERR_OK)
        code = run(call, data, &summary, reterr);
    summary_done(&summary);
    return code;
}

static const struct flow_pin inputs[] = {
    {.name = "data", .type = "array", .required = true, .description = "The records."}, {0}};
static const struct flow_pin outputs[] = {
    {.name = "summary", .type = "array", .description = "One record for each group, in order of first appearance."},
    {.name = "count", .type = "number", .description = "How many groups there are."},
    {0}};
static const struct flow_rule rules[] = {
    {"data-filter", "summary", "data", "full"}, {"field-mapper", "summary", "source", "full"}, {0}};
static const struct field figure_fields[] = {
    {.name = "operation",
     .kind = FIELD_ENUM,
     .values = operation_names,
     .required = true,
     .help = "What is computed; collect lists the values, distinct each of them once."},
    {.name = "field",
     .kind = FIELD_STRING,
     .min = 1,
     .max = 200,
     .help = "Dotted path of the figures; not needed to count or to collect whole records."},
    {.name = "as",
     .kind = FIELD_STRING,
     .min = 1,
     .max = 200,
     .help = "Name of the result; operation_field when absent."},
    {0}};
static const struct field fields[] = {
    {.name = "groupBy",
     .label = "Group by",
     .kind = FIELD_ANY,
     .help = "A field, or a list of fields (dotted paths); without it everything is one group."},
    {.name = "operations",
     .kind = FIELD_ARRAY,
     .fields = figure_fields,
     .required = true,
     .min = 1,
     .max = FIGURES_MAX,
     .help = "What to compute of each group."},
    {.name = "data", .kind = FIELD_ARRAY, .help = "The records, when no connection brings them."},
    {0}};
static const struct node_example examples[] = {
    {"Sales by country", "Null and missing figures take no part.",
     "{\"data\":[{\"country\":\"ES\",\"total\":10},{\"country\":\"PT\",\"total\":\"5.5\"},{\"country\":\"ES\","
     "\"total\":2},{\"country\":\"ES\"}],"
     "\"groupBy\":\"country\",\"operations\":[{\"operation\":\"count\",\"as\":\"orders\"},{\"operation\":\"sum\","
     "\"field\":\"total\",\"as\":\"sales\"},"
     "{\"operation\":\"avg\",\"field\":\"total\"}]}",
     "{\"summary\":[{\"country\":\"ES\",\"orders\":3,\"sales\":12,\"avg_total\":6},{\"country\":\"PT\",\"orders\":1,"
     "\"sales\":5.5,\"avg_total\":5.5}],\"count\":2}"},
    {"Customers of each country", "Without a field, collect lists whole records.",
     "{\"data\":[{\"country\":\"ES\",\"name\":\"Ana\"},{\"country\":\"PT\",\"name\":\"Rui\"},{\"country\":\"ES\","
     "\"name\":\"Ana\"}],\"groupBy\":\"country\",\"operations\":[{\"operation\":\"collect\",\"field\":\"name\"},"
     "{\"operation\":\"distinct\",\"field\":\"name\",\"as\":\"names\"}]}",
     "{\"summary\":[{\"country\":\"ES\",\"collect_name\":[\"Ana\",\"Ana\"],\"names\":[\"Ana\"]},{\"country\":"
     "\"PT\",\"collect_name\":[\"Rui\"],\"names\":[\"Rui\"]}],\"count\":2}"},
    {0}};
static const struct node_trouble troubles[] = {{"data[3].total must be a number",
                                                "A record holds text that reads as no number.",
                                                "Filter such records out, or clean them before."},
                                               {0}};

const struct node_type node_summarize = {
    .spec = {.type = "summarize",
             .inputs = inputs,
             .outputs = outputs,
             .rules = rules,
             .fields = fields,
             .data_input = "data",
             .pure = true},
    .name = "Summarize",
    .version = "1.0.0",
    .description = "Groups records and counts, sums, averages, collects, or finds the least and the most.",
    .category = "transformation",
    .icon = "sum",
    .timeout_ms = 15000,
    .concurrency = 1,
    .batch_size = 5000,
    .tags = (const char *const[]){"transformation", "aggregate", "group", "collect", NULL},
    .related = (const char *const[]){"data-filter", "field-mapper", "write-file", NULL},
    .purpose = "Use it to turn many records into a few figures.",
    .limitations = (const char *const[]){"At most 100000 groups.", "The type aggregate is another name of it.",
                                         "Fractions are added as binary floating point, with compensation.", NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_INLINE,
    .execute = execute,
};
