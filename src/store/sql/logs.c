/* Reading an execution's log lines: what LOGS events brought while it ran, and the `logs` of its history document. */
#include "store/sql/sql_int.h"

#include "base/limits.h"
#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

struct log_line {
    const struct json *line;
    const char *at; /* ISO texts of one form sort as text; "" sorts first */
    size_t place;   /* oldest first; decides between equal times */
};

struct log_lines {
    struct json *owner; /* array of the arrays that the lines are in */
    struct log_line *lines;
    size_t count, cap;
};

static void log_lines_done(struct log_lines *all)
{
    json_unref(all->owner);
    free(all->lines);
}

static bool equals(const char *text, const char *wanted)
{
    return wanted == NULL || (text != NULL && strcmp(text, wanted) == 0);
}

/* Takes `array`. A line without a time belongs beside the one before it. */
static void add_lines(struct log_lines *all, struct json *take_array, const char *level, const char *node_id)
{
    const char *at = "";
    json_push(all->owner, take_array);
    for (size_t i = 0; i < json_count(take_array); i++) {
        const struct json *line = json_at(take_array, i);
        const char *timestamp = json_get_str(line, "timestamp");
        at = timestamp == NULL ? at : timestamp;
        if (!equals(json_get_str(line, "level"), level) || !equals(json_get_str(line, "nodeId"), node_id))
            continue;
        if (all->count == all->cap) {
            all->cap = all->cap == 0 ? 256 : all->cap * 2;
            all->lines = mem_resize(all->lines, all->cap * sizeof *all->lines);
        }
        all->lines[all->count] = (struct log_line){.line = line, .at = at, .place = all->count};
        all->count++;
    }
}

static int newest_first(const void *left, const void *right)
{
    const struct log_line *a = left, *b = right;
    int order = strcmp(b->at, a->at);
    return order != 0 ? order : a->place < b->place ? 1 : -1;
}

static enum err read_chunks(struct store_session *s, const struct sql_key *key, struct log_lines *all,
                            const char *level, const char *node_id, struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    bool row = false;
    enum err code =
        sql_query(s, &q, reterr, "SELECT content FROM execution_logs WHERE execution=? ORDER BY chunk", "k", key);
    while (code == ERR_OK && (code = sql_step(s, q, &row, reterr)) == ERR_OK && row) {
        struct json *chunk = NULL;
        code = sql_decompress_json(s, q, 0, key->id, &chunk, reterr);
        if (code == ERR_OK)
            add_lines(all, chunk, level, node_id);
    }
    return code;
}

static enum err read_document_logs(struct store_session *s, const struct sql_key *key, struct log_lines *all,
                                   const char *level, const char *node_id, struct error *reterr)
{
    AUTO_RESET struct sql_rows *q = NULL;
    AUTO_JSON struct json *document = NULL;
    bool row = false;
    enum err code = sql_query(s, &q, reterr, "SELECT document FROM node_executions WHERE execution=?", "k", key);
    if (code == ERR_OK)
        code = sql_step(s, q, &row, reterr);
    if (code == ERR_OK && row)
        code = sql_decompress_json(s, q, 0, key->id, &document, reterr);
    if (code == ERR_OK && json_is(json_get(document, "logs"), JSON_ARRAY))
        add_lines(all, json_ref(json_get(document, "logs")), level, node_id);
    return code;
}

enum err sql_execution_logs(struct store_session *s, const char *id, const char *level, const char *node_id,
                            struct json **ret, struct error *reterr)
{
    CLEANUP(log_lines_done) struct log_lines all = {.owner = json_array_new()};
    struct sql_locator at;
    enum err code = sql_locate_or_fail(s, id, &at, reterr);
    if (code == ERR_OK)
        code = read_chunks(s, &at.key, &all, level, node_id, reterr);
    if (code == ERR_OK) /* behind the chunks: the document is written last */
        code = read_document_logs(s, &at.key, &all, level, node_id, reterr);
    if (code != ERR_OK)
        return code;
    if (all.count > 1)
        qsort(all.lines, all.count, sizeof *all.lines, newest_first);
    *ret = json_array_new();
    for (size_t i = 0; i < all.count && i < LIMIT_LOG_LINES; i++)
        json_push(*ret, json_ref(all.lines[i].line));
    return ERR_OK;
}
