/* join-data: joins the records of two lists by keys, as databases do. */
#include "nodes/records.h"

#include "base/map.h"
#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MAX 10

/* The right records of one key, in their order. */
struct chain {
    size_t first, last; /* index + 1 */
};

struct joining {
    const struct json *left, *right;
    const char *left_keys[KEYS_MAX], *right_keys[KEYS_MAX];
    size_t key_count;
    bool keeps_left, keeps_right;
    const char *nest; /* the right record goes under this name; NULL: its fields are merged */
    bool left_wins;
    struct map index; /* key -> struct chain */
    size_t *next;     /* of right records with the same key, index + 1 */
    bool *used;
    struct json *rows;
    size_t matched;
};

static void free_chain(void *user, const char *key, void *value)
{
    (void)user;
    (void)key;
    free(value);
}

static enum err read_keys(const struct node_call *call, struct joining *joining, struct error *reterr)
{
    size_t left = 0, right = 0;
    enum err code =
        records_fields(json_get(call->inputs, "leftKey"), "leftKey", KEYS_MAX, joining->left_keys, &left, reterr);
    if (code == ERR_OK)
        code =
            records_fields(json_get(call->inputs, json_get(call->inputs, "rightKey") != NULL ? "rightKey" : "leftKey"),
                           "rightKey", KEYS_MAX, joining->right_keys, &right, reterr);
    if (code != ERR_OK)
        return code;
    if (left == 0)
        return error_set(reterr, ERR_VALIDATION, "leftKey", "leftKey must name at least one field to join by.");
    if (left != right)
        return error_set(reterr, ERR_VALIDATION, "rightKey",
                         "rightKey must name as many fields as leftKey: %zu, not %zu.", left, right);
    joining->key_count = left;
    return ERR_OK;
}

static void index_right(struct joining *joining)
{
    struct buf key;
    buf_init(&key, 0);
    size_t n = json_count(joining->right);
    joining->next = mem_array(n + 1, sizeof *joining->next);
    joining->used = mem_array(n + 1, sizeof *joining->used);
    for (size_t i = 0; i < n; i++) {
        buf_clear(&key);
        if (!records_add_keys(json_at(joining->right, i), joining->right_keys, joining->key_count, &key))
            continue; /* null equals nothing */
        struct chain *chain = map_get(&joining->index, buf_str(&key));
        if (chain == NULL) {
            chain = mem_alloc(sizeof *chain);
            chain->first = i + 1;
            (void)map_put(&joining->index, buf_str(&key), chain);
        } else {
            joining->next[chain->last - 1] = i + 1;
        }
        chain->last = i + 1;
    }
    buf_done(&key);
}

static struct json *joined(const struct joining *joining, const struct json *left, const struct json *right)
{
    struct json *row = left == NULL ? json_object_new() : value_copy_shallow(left);
    struct json_iter member;
    if (joining->nest != NULL) {
        json_set(row, joining->nest, json_ref(right));
        return row;
    }
    JSON_EACH(right, member)
    {
        if (!joining->left_wins || !json_has(row, member.key))
            json_set(row, member.key, json_ref(member.value));
    }
    return row;
}

static enum err add(struct joining *joining, const struct json *left, const struct json *right, struct error *reterr)
{
    if (json_count(joining->rows) == RECORDS_MAX)
        return error_set(reterr, ERR_LIMIT, "leftKey",
                         "The join makes more than %d records: the key stands for many on both sides.", RECORDS_MAX);
    json_push(joining->rows, joined(joining, left, right));
    return ERR_OK;
}

static enum err join_left(struct joining *joining, const struct json *left, struct buf *key, struct error *reterr)
{
    enum err code = ERR_OK;
    buf_clear(key);
    const struct chain *chain = NULL;
    if (records_add_keys(left, joining->left_keys, joining->key_count, key))
        chain = map_get(&joining->index, buf_str(key));
    if (chain == NULL)
        return joining->keeps_left ? add(joining, left, NULL, reterr) : ERR_OK;
    joining->matched++;
    for (size_t at = chain->first; at != 0 && code == ERR_OK; at = joining->next[at - 1]) {
        joining->used[at - 1] = true;
        code = add(joining, left, json_at(joining->right, at - 1), reterr);
    }
    return code;
}

static enum err run(struct joining *joining, struct error *reterr)
{
    enum err code = ERR_OK;
    struct buf key;
    index_right(joining);
    buf_init(&key, 0);
    for (size_t i = 0, n = json_count(joining->left); i < n && code == ERR_OK; i++)
        code = join_left(joining, json_at(joining->left, i), &key, reterr);
    buf_done(&key);
    for (size_t i = 0, n = json_count(joining->right); i < n && code == ERR_OK && joining->keeps_right; i++)
        if (!joining->used[i])
            code = add(joining, NULL, json_at(joining->right, i), reterr);
    return code;
}

static enum err check_objects(const struct json *list, const char *name, struct error *reterr)
{
    char field[40];
    for (size_t i = 0, n = json_count(list); i < n; i++) {
        if (json_is(json_at(list, i), JSON_OBJECT))
            continue;
        (void)snprintf(field, sizeof field, "%s[%zu]", name, i);
        return error_set(reterr, ERR_NODE, field, "%s must be an object to be joined, not %s.", field,
                         json_kind_name(json_at(list, i)));
    }
    return ERR_OK;
}

static enum err execute(struct node_call *call, struct error *reterr)
{
    struct joining joining = {.nest = node_input_str(call, "rightAs", NULL),
                              .left_wins = strcmp(node_input_str(call, "sameName", "right"), "left") == 0};
    const char *type = node_input_str(call, "type", "inner");
    joining.keeps_left = strcmp(type, "left") == 0 || strcmp(type, "full") == 0;
    joining.keeps_right = strcmp(type, "right") == 0 || strcmp(type, "full") == 0;
    enum err code = records_check(call, "left", &joining.left, reterr);
    if (code == ERR_OK)
        code = records_check(call, "right", &joining.right, reterr);
    if (code == ERR_OK)
        code = read_keys(call, &joining, reterr);
    if (code == ERR_OK)
        code = check_objects(joining.left, "left", reterr);
    if (code == ERR_OK)
        code = check_objects(joining.right, "right", reterr);
    if (code != ERR_OK)
        return code;
    map_init(&joining.index);
    joining.rows = json_array_new();
    code = run(&joining, reterr);
    map_each(&joining.index, free_chain, NULL);
    map_done(&joining.index);
    free(joining.next);
    free(joining.used);
    if (code != ERR_OK) {
        json_unref(joining.rows);
        return code;
    }
    call->records = (int64_t)json_count(joining.rows);
    node_call_set(call, "joined", joining.rows);
    node_call_set(call, "count", json_int_new(call->records));
    node_call_set(call, "matchedCount", json_int_new((int64_t)joining.matched));
    return ERR_OK;
}

static const char *const types[] = {"inner", "left", "right", "full", NULL};
static const char *const winners[] = {"left", "right", NULL};
static const struct flow_pin inputs[] = {
    {.name = "left", .type = "array", .required = true, .description = "Records of one list."},
    {.name = "right", .type = "array", .required = true, .description = "Records of the other list."},
    {0}};
static const struct flow_pin outputs[] = {
    {.name = "joined", .type = "array", .description = "The joined records, in the order of left."},
    {.name = "count", .type = "number", .description = "How many there are."},
    {.name = "matchedCount", .type = "number", .description = "How many records of left found a partner."},
    {0}};
static const struct flow_rule rules[] = {
    {"data-filter", "joined", "data", "full"}, {"field-mapper", "joined", "source", "full"}, {0}};
static const struct field fields[] = {
    {.name = "type",
     .kind = FIELD_ENUM,
     .values = types,
     .default_json = "\"inner\"",
     .help = "inner keeps pairs only; left, right and full also keep records of that side, or of both, that have no "
             "partner."},
    {.name = "leftKey",
     .kind = FIELD_ANY,
     .required = true,
     .label = "Key on the left",
     .help = "A field, or a list of fields (dotted paths), of the left records."},
    {.name = "rightKey",
     .kind = FIELD_ANY,
     .nullable = true,
     .label = "Key on the right",
     .help = "The fields of the right records to compare with; leftKey when absent."},
    {.name = "rightAs",
     .kind = FIELD_STRING,
     .nullable = true,
     .min = 1,
     .max = 200,
     .label = "Right record as",
     .help = "Put the right record under this name; without it its fields are merged in."},
    {.name = "sameName",
     .kind = FIELD_ENUM,
     .values = winners,
     .default_json = "\"right\"",
     .label = "Same name",
     .help = "Whose value stays when both records have a field of that name."},
    {.name = "left", .kind = FIELD_ARRAY, .help = "The left records, when no connection brings them."},
    {.name = "right", .kind = FIELD_ARRAY, .help = "The right records, when no connection brings them."},
    {0}};
static const struct node_example examples[] = {
    {"Customers of orders", "The order without a known customer stays.",
     "{\"left\":[{\"id\":1,\"customer\":10},{\"id\":2,\"customer\":99}],\"right\":[{\"no\":10,\"name\":\"Ana\"}],"
     "\"type\":\"left\",\"leftKey\":\"customer\",\"rightKey\":\"no\",\"rightAs\":\"buyer\"}",
     "{\"joined\":[{\"id\":1,\"customer\":10,\"buyer\":{\"no\":10,\"name\":\"Ana\"}},{\"id\":2,\"customer\":99,"
     "\"buyer\":null}],\"count\":2,\"matchedCount\":1}"},
    {0}};
static const struct node_trouble troubles[] = {
    {"Nothing matches", "The key is a number on one side and text on the other: 1 is not \"1\".",
     "Bring both to one type before."},
    {"The join makes more than 1000000 records", "The key is not unique on either side.", "Join by more fields."},
    {0}};

const struct node_type node_join_data = {
    .spec = {.type = "join-data",
             .inputs = inputs,
             .outputs = outputs,
             .rules = rules,
             .fields = fields,
             .data_input = "left",
             .pure = true},
    .name = "Join Data",
    .version = "1.0.0",
    .description = "Joins the records of two lists by keys.",
    .category = "transformation",
    .icon = "join",
    .timeout_ms = 15000,
    .concurrency = 1,
    .batch_size = 5000,
    .tags = (const char *const[]){"transformation", "join", "lookup", "combine", NULL},
    .related = (const char *const[]){"merge", "deduplicate", "summarize", NULL},
    .purpose = "Use it to bring together what two systems know of the same things.",
    .limitations = (const char *const[]){"At most 1000000 joined records.",
                                         "Null and missing keys match nothing, as in SQL.", NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_INLINE,
    .execute = execute,
};
