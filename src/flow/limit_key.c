/* The key that an execution is counted under: a text with plain {{ paths }}. */
#include "flow/limits.h"

#include "base/digest.h"
#include "expression/mixed.h"
#include "expression/path.h"
#include "flow/flow_int.h"
#include <stdio.h>
#include <string.h>

static bool find(void *user, enum expression_name name, const char *key, struct json **ret)
{
    const struct flow_start *start = user;
    (void)key;
    *ret = NULL;
    switch (name) {
    case NAME_INPUT:
        *ret = json_ref(start->input);
        return true;
    case NAME_EXECUTION:
        *ret = json_object_new();
        json_set_str(*ret, "id", start->execution_id);
        json_set_str(*ret, "flowId", start->flow_id);
        json_set_str(*ret, "trigger", start->trigger);
        return true;
    case NAME_FLOW:
        *ret = json_object_new();
        json_set_str(*ret, "id", start->flow_id);
        json_set_int(*ret, "version", start->flow_version);
        return true;
    default:
        return false;
    }
}

/* Nothing, null and what is no plain path (a settings check refuses it) add nothing. */
static void add_value(const char *text, size_t len, const struct expression_source *source, struct arena *arena,
                      struct buf *out)
{
    struct path path;
    struct error ignored;
    if (!path_parse(text, len, arena, &path))
        return;
    struct json *value = NULL;
    if (path_evaluate(&path, source, &value, &ignored) == PATH_VALUE && value != NULL) {
        if (json_is(value, JSON_STRING))
            buf_add(out, json_as_str(value), json_as_str_len(value));
        else
            json_print(value, out);
    }
    json_unref(value);
    path_done(&path);
}

void flow_limits_key(const char *text, const struct flow_start *start, char ret[FLOW_KEY_BYTES])
{
    AUTO_ARENA struct arena arena;
    AUTO_BUF struct buf out;
    struct mixed mixed;
    struct error ignored;
    struct expression_source source = {.user = (void *)(uintptr_t)start, .find = find};
    buf_init(&out, 0);
    arena_init(&arena);
    if (text != NULL && mixed_parse(text, strlen(text), &arena, &mixed, &ignored) == ERR_OK)
        for (unsigned i = 0; i < mixed.count; i++) {
            if (mixed.parts[i].is_expression)
                add_value(mixed.parts[i].text, mixed.parts[i].len, &source, &arena, &out);
            else
                buf_add(&out, mixed.parts[i].text, mixed.parts[i].len);
        }
    /* A NUL would end it, and a long one would make the index large. */
    if (out.len < FLOW_KEY_BYTES && (out.len == 0 || memchr(out.data, '\0', out.len) == NULL)) {
        (void)snprintf(ret, FLOW_KEY_BYTES, "%s", buf_str(&out));
        return;
    }
    unsigned char digest[DIGEST_BYTES];
    digest_sha256(out.data, out.len, digest);
    digest_hex(digest, ret);
}

static bool is_known(const struct path *path)
{
    return path->is_literal || path->root == NAME_INPUT || path->root == NAME_EXECUTION || path->root == NAME_FLOW;
}

static void check_key(const char *text, const char *field, struct json *problems)
{
    AUTO_ARENA struct arena arena;
    struct mixed mixed;
    struct error error;
    arena_init(&arena);
    if (text == NULL)
        return;
    if (mixed_parse(text, strlen(text), &arena, &mixed, &error) != ERR_OK) {
        problem_add(problems, "INVALID_SETTINGS", NULL, field, "%s: %s", field, error.message);
        return;
    }
    for (unsigned i = 0; i < mixed.count; i++) {
        struct path path;
        const struct mixed_part *part = &mixed.parts[i];
        if (!part->is_expression)
            continue;
        bool parsed = path_parse(part->text, part->len, &arena, &path), good = parsed && is_known(&path);
        if (parsed)
            path_done(&path);
        if (!good)
            problem_add(problems, "INVALID_SETTINGS", NULL, field,
                        "%s: {{ %.*s }} is no plain path of input, execution or flow, such as {{ input.customer }}.",
                        field, part->len > 100 ? 100 : (int)part->len, part->text);
    }
}

void flow_limits_check(const struct json *settings, struct json *problems)
{
    struct flow_limits limits;
    flow_limits_read(settings, &limits);
    check_key(limits.key, "settings.concurrencyKey", problems);
    check_key(limits.rate_key, "settings.rateLimit.key", problems);
    if (json_get_int(settings, "concurrencyPerKey", 0) > 0 && limits.key == NULL)
        problem_add(problems, "INVALID_SETTINGS", NULL, "settings.concurrencyKey",
                    "settings.concurrencyKey: concurrencyPerKey needs a key, such as {{ input.customer }}; for all "
                    "executions together there is concurrency.");
    if (limits.concurrency > 0 && limits.per_key > limits.concurrency)
        problem_add(problems, "INVALID_SETTINGS", NULL, "settings.concurrencyPerKey",
                    "settings.concurrencyPerKey must not be above settings.concurrency (%lld).",
                    (long long)limits.concurrency);
}
