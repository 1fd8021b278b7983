/* JSON to BSON and back. */
#include "nodes/mongo_value.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include <stdio.h>
#include <string.h>

static bool is_id_name(const char *name)
{
    size_t n = strlen(name);
    return strcmp(name, "_id") == 0 || (n >= 2 && strcmp(name + n - 2, "Id") == 0);
}

static bool is_object_id(const struct json *value)
{
    const char *text = json_as_str(value);
    return text != NULL && json_as_str_len(value) == 24 && bson_oid_is_valid(text, 24);
}

/* {"$oid": …} and {"$date": …}; false: it is neither. */
static bool append_special(bson_t *out, const char *key, const struct json *value)
{
    int64_t ms = 0;
    bson_oid_t oid;
    if (json_count(value) != 1)
        return false;
    const struct json *id = json_get(value, "$oid"), *date = json_get(value, "$date");
    if (is_object_id(id)) {
        bson_oid_init_from_string(&oid, json_as_str(id));
        return BSON_APPEND_OID(out, key, &oid);
    }
    if (json_is(date, JSON_INT))
        return BSON_APPEND_DATE_TIME(out, key, json_as_int(date));
    return json_is(date, JSON_STRING) && clock_parse_iso(json_as_str(date), &ms) == 0 &&
           BSON_APPEND_DATE_TIME(out, key, ms);
}

static enum err append_one(bson_t *out, const char *key, const struct json *value, bool converts_ids, const char *where,
                           struct error *reterr)
{
    bson_t inner;
    bson_oid_t oid;
    enum err code = ERR_OK;
    bool fine = true, is_id = converts_ids && is_id_name(key);
    switch (json_kind(value)) {
    case JSON_NULL:
        fine = BSON_APPEND_NULL(out, key);
        break;
    case JSON_BOOL:
        fine = BSON_APPEND_BOOL(out, key, json_as_bool(value));
        break;
    case JSON_INT:
        fine = json_as_int(value) >= INT32_MIN && json_as_int(value) <= INT32_MAX
                   ? BSON_APPEND_INT32(out, key, (int32_t)json_as_int(value))
                   : BSON_APPEND_INT64(out, key, json_as_int(value));
        break;
    case JSON_DOUBLE:
        fine = BSON_APPEND_DOUBLE(out, key, json_as_double(value));
        break;
    case JSON_STRING:
        if (is_id && is_object_id(value)) {
            bson_oid_init_from_string(&oid, json_as_str(value));
            fine = BSON_APPEND_OID(out, key, &oid);
        } else {
            fine = bson_append_utf8(out, key, -1, json_as_str(value), (int)json_as_str_len(value));
        }
        break;
    case JSON_ARRAY:
        fine = BSON_APPEND_ARRAY_BEGIN(out, key, &inner);
        if (fine)
            code = mongo_append(&inner, value, converts_ids && !is_id, where, reterr);
        fine = fine && bson_append_array_end(out, &inner);
        break;
    case JSON_OBJECT:
        if (append_special(out, key, value))
            return ERR_OK;
        fine = BSON_APPEND_DOCUMENT_BEGIN(out, key, &inner);
        if (fine)
            code = mongo_append(&inner, value, converts_ids && !is_id, where, reterr);
        fine = fine && bson_append_document_end(out, &inner);
        break;
    }
    if (code == ERR_OK && !fine)
        code = error_set(reterr, ERR_LIMIT, where, "%s is larger than MongoDB can take.", where);
    return code;
}

enum err mongo_append(bson_t *out, const struct json *value, bool converts_ids, const char *where, struct error *reterr)
{
    enum err code = ERR_OK;
    char key[24];
    struct json_iter member;
    if (json_is(value, JSON_ARRAY)) {
        for (size_t i = 0, n = json_count(value); i < n && code == ERR_OK; i++) {
            (void)snprintf(key, sizeof key, "%zu", i);
            code = append_one(out, key, json_at(value, i), converts_ids, where, reterr);
        }
        return code;
    }
    JSON_EACH(value, member)
    {
        if (code == ERR_OK)
            code = append_one(out, member.key, member.value, converts_ids, where, reterr);
    }
    return code;
}

static struct json *date_json(int64_t ms)
{
    char text[ISO_TEXT_BYTES];
    if (ms < INT64_C(-62135596800000) || ms > INT64_C(253402300799999))
        return json_int_new(ms); /* outside of the years that an ISO time can tell */
    clock_format_iso(ms, text);
    return json_string_new(text);
}

static struct json *binary_json(const bson_iter_t *at)
{
    const uint8_t *bytes = NULL;
    uint32_t n = 0;
    bson_subtype_t subtype;
    struct buf text;
    bson_iter_binary(at, &subtype, &n, &bytes);
    buf_init(&text, 0);
    base64_add(&text, bytes, n);
    struct json *value = json_string_new(buf_str(&text));
    buf_done(&text);
    return value;
}

static struct json *children_json(const bson_iter_t *at, bool is_array)
{
    bson_iter_t child;
    struct json *all = is_array ? json_array_new() : json_object_new();
    if (!bson_iter_recurse(at, &child))
        return all;
    while (bson_iter_next(&child)) {
        if (is_array)
            json_push(all, mongo_value_json(&child));
        else
            json_set(all, bson_iter_key(&child), mongo_value_json(&child));
    }
    return all;
}

/* Kinds that JSON has no like of, as text. */
static struct json *odd_json(const bson_iter_t *at)
{
    char text[BSON_DECIMAL128_STRING > 64 ? BSON_DECIMAL128_STRING : 64];
    bson_decimal128_t decimal;
    uint32_t seconds, increment;
    switch (bson_iter_type(at)) {
    case BSON_TYPE_DECIMAL128:
        if (!bson_iter_decimal128(at, &decimal))
            return NULL;
        bson_decimal128_to_string(&decimal, text);
        return json_string_new(text);
    case BSON_TYPE_TIMESTAMP:
        bson_iter_timestamp(at, &seconds, &increment);
        (void)snprintf(text, sizeof text, "%u:%u", seconds, increment);
        return json_string_new(text);
    case BSON_TYPE_REGEX: {
        const char *options = NULL, *pattern = bson_iter_regex(at, &options);
        AUTO_FREE char *whole = mem_printf("/%s/%s", pattern, options == NULL ? "" : options);
        return json_string_new(whole);
    }
    case BSON_TYPE_SYMBOL:
        return json_string_new(bson_iter_symbol(at, NULL));
    case BSON_TYPE_CODE:
        return json_string_new(bson_iter_code(at, NULL));
    default:
        return NULL;
    }
}

struct json *mongo_value_json(const bson_iter_t *at)
{
    char hex[25];
    uint32_t n = 0;
    const char *text;
    switch (bson_iter_type(at)) {
    case BSON_TYPE_DOUBLE:
        return json_double_new(bson_iter_double(at));
    case BSON_TYPE_UTF8:
        text = bson_iter_utf8(at, &n);
        return bson_utf8_validate(text, n, true) ? json_string_new_n(text, n) : NULL;
    case BSON_TYPE_DOCUMENT:
        return children_json(at, false);
    case BSON_TYPE_ARRAY:
        return children_json(at, true);
    case BSON_TYPE_BINARY:
        return binary_json(at);
    case BSON_TYPE_OID:
        bson_oid_to_string(bson_iter_oid(at), hex);
        return json_string_new(hex);
    case BSON_TYPE_BOOL:
        return json_bool_new(bson_iter_bool(at));
    case BSON_TYPE_DATE_TIME:
        return date_json(bson_iter_date_time(at));
    case BSON_TYPE_INT32:
        return json_int_new(bson_iter_int32(at));
    case BSON_TYPE_INT64:
        return json_int_new(bson_iter_int64(at));
    default:
        return odd_json(at);
    }
}

struct json *mongo_document_json(const bson_t *document)
{
    struct json *object = json_object_new();
    bson_iter_t at;
    if (bson_iter_init(&at, document))
        while (bson_iter_next(&at))
            json_set(object, bson_iter_key(&at), mongo_value_json(&at));
    return object;
}
