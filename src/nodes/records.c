/* Lists of records, for the nodes that group, sort, join and compare them. */
#include "nodes/records.h"

#include "base/mem.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum err records_check(const struct node_call *call, const char *name, const struct json **ret, struct error *reterr)
{
    enum err code = node_inputs_check(call, reterr);
    if (code != ERR_OK)
        return code;
    const struct json *list = json_get(call->inputs, name);
    if (!json_is(list, JSON_ARRAY))
        return error_set(reterr, ERR_VALIDATION, name, "%s must be an array of records, not %s.", name,
                         json_kind_name(list));
    *ret = list;
    return ERR_OK;
}

enum err records_fields(const struct json *setting, const char *name, size_t max, const char **ret, size_t *ret_count,
                        struct error *reterr)
{
    bool fine = setting == NULL || json_is(setting, JSON_STRING) || json_is(setting, JSON_ARRAY);
    size_t count = 0;
    if (json_is(setting, JSON_STRING))
        ret[count++] = json_as_str(setting);
    for (size_t i = 0, n = json_is(setting, JSON_ARRAY) ? json_count(setting) : 0; fine && i < n; i++) {
        fine = json_is(json_at(setting, i), JSON_STRING) && count < max;
        if (fine)
            ret[count++] = json_as_str(json_at(setting, i));
    }
    if (!fine)
        return error_set(reterr, ERR_VALIDATION, name, "%s must be a field, or a list of at most %zu fields.", name,
                         max);
    *ret_count = count;
    return ERR_OK;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_object_key(const struct json *object, struct buf *out)
{
    size_t count = 0;
    const char **names = mem_array(json_count(object) + 1, sizeof *names);
    struct json_iter member;
    JSON_EACH(object, member) names[count++] = member.key;
    qsort(names, count, sizeof *names, by_text);
    buf_add_char(out, '{');
    for (size_t i = 0; i < count; i++) {
        AUTO_JSON struct json *name = json_string_new(names[i]);
        json_print(name, out);
        buf_add_char(out, ':');
        records_add_key(json_get(object, names[i]), out);
    }
    buf_add_char(out, '}');
    free(names);
}

void records_add_key(const struct json *value, struct buf *out)
{
    double number = json_is(value, JSON_DOUBLE) ? json_as_double(value) : 0.5;
    if (json_is(value, JSON_OBJECT)) {
        add_object_key(value, out);
    } else if (json_is(value, JSON_ARRAY)) {
        buf_add_char(out, '[');
        for (size_t i = 0, n = json_count(value); i < n; i++) {
            records_add_key(json_at(value, i), out);
            buf_add_char(out, ',');
        }
        buf_add_char(out, ']');
    } else if (floor(number) == number && fabs(number) < 9e15) {
        buf_add_int(out, (int64_t)number);
    } else {
        json_print(value, out);
    }
}

bool records_add_keys(const struct json *record, const char *const *paths, size_t count, struct buf *out)
{
    bool complete = true;
    if (count == 0)
        records_add_key(record, out);
    for (size_t i = 0; i < count; i++) {
        AUTO_VALUE struct value value = value_at_path(record, paths[i]);
        complete = complete && value.json != NULL;
        records_add_key(value.json, out);
        buf_add_char(out, '\n');
    }
    return complete;
}

bool records_number(const struct value *value, double *ret)
{
    enum json_kind kind = json_kind(value->json);
    if (kind != JSON_INT && kind != JSON_DOUBLE && !(kind == JSON_STRING && json_as_str_len(value->json) > 0))
        return false;
    *ret = value_number_of(value);
    return isfinite(*ret);
}
