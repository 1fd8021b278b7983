/* Statements and columns for the verbs, over whichever driver the session has. */
#include "store/sql/sql_int.h"

#include "base/mem.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUES_MAX = 40 };

void sql_session_done(struct sql_session *session)
{
    (void)ZSTD_freeDCtx(session->decompressor);
    for (size_t i = 0; i < SQL_COMPOSED_MAX; i++)
        free(session->composed[i]);
}

/* ---- the driver's words */

static const char *add_word(const struct sql_driver *driver, const char *at, struct buf *out)
{
    const char *end = strchr(at, '}');
    for (const struct sql_word *word = driver->words; end != NULL && word->name != NULL; word++)
        if (strlen(word->name) == (size_t)(end - at - 1) && strncmp(word->name, at + 1, (size_t)(end - at - 1)) == 0) {
            buf_add_str(out, word->text);
            return end + 1;
        }
    abort(); /* statements are written in this folder */
}

char *sql_translate(const struct sql_driver *driver, const char *sql, char mark)
{
    AUTO_BUF struct buf words, out;
    int count = 0;
    buf_init(&words, 0);
    buf_init(&out, 0);
    for (const char *at = sql; *at != '\0';) {
        if (*at == '{')
            at = add_word(driver, at, &words);
        else
            buf_add_char(&words, *at++);
    }
    for (const char *at = buf_str(&words); *at != '\0';) {
        buf_add_char(&out, *at == '?' ? mark : *at);
        if (*at++ == '?' && !isdigit((unsigned char)*at))
            buf_add_int(&out, ++count);
    }
    return buf_take(&out);
}

/* ---- values */

static struct sql_value text_value(const char *text)
{
    struct sql_value value = {.kind = SQL_NULL, .text = text};
    if (text != NULL)
        value.kind = SQL_TEXT;
    return value;
}

static struct sql_value int_value(int64_t number)
{
    return (struct sql_value){.kind = SQL_INT, .number = number};
}

static enum err take_one(const struct sql_driver *driver, char kind, va_list *args, struct sql_value *ret,
                         struct error *reterr)
{
    int64_t number = 0;
    switch (kind) {
    case 't':
        *ret = text_value(va_arg(*args, const char *));
        return ERR_OK;
    case 'i':
        *ret = int_value(va_arg(*args, int64_t));
        return ERR_OK;
    case 'p':
        number = va_arg(*args, int64_t);
        *ret = int_value(number);
        if (number <= 0)
            ret->kind = SQL_NULL;
        return ERR_OK;
    case 'd':
        *ret = int_value(va_arg(*args, int));
        return ERR_OK;
    case 'b':
        *ret = (struct sql_value){.kind = SQL_BYTES, .bytes = va_arg(*args, const void *)};
        ret->size = va_arg(*args, size_t);
        if (ret->bytes == NULL)
            ret->kind = SQL_NULL;
        return ERR_OK;
    case 'k': {
        const struct sql_key *key = va_arg(*args, const struct sql_key *);
        *ret = driver->keyed_by_id ? text_value(key->id) : int_value(key->seq);
        return ERR_OK;
    }
    default:
        return error_set(reterr, ERR_INTERNAL, NULL, "A statement has a value of the unknown kind %c.", kind);
    }
}

static enum err take_values(struct store_session *s, const char *kinds, va_list *args, struct sql_value *values,
                            int *ret_count, struct error *reterr)
{
    int count = 0;
    for (; kinds[count] != '\0'; count++) {
        if (count == VALUES_MAX)
            return error_set(reterr, ERR_INTERNAL, NULL, "A statement has more than %d values.", VALUES_MAX);
        enum err code = take_one(sql_driver_of(s), kinds[count], args, &values[count], reterr);
        if (code != ERR_OK)
            return code;
    }
    *ret_count = count;
    return ERR_OK;
}

/* ---- statements */

static enum err query_list(struct store_session *s, struct sql_rows **ret, struct error *reterr, const char *sql,
                           const char *kinds, va_list *args)
{
    struct sql_value values[VALUES_MAX];
    int count = 0;
    enum err code = take_values(s, kinds, args, values, &count, reterr);
    return code == ERR_OK ? sql_driver_of(s)->query(s, sql, true, values, count, ret, reterr) : code;
}

enum err sql_query(struct store_session *s, struct sql_rows **ret, struct error *reterr, const char *sql,
                   const char *kinds, ...)
{
    va_list args;
    va_start(args, kinds);
    enum err code = query_list(s, ret, reterr, sql, kinds, &args);
    va_end(args);
    return code;
}

/* The text that is kept, so that its address stands for it; NULL: there is no room. */
static const char *keep(struct sql_session *session, const char *sql)
{
    size_t i = 0;
    while (i < SQL_COMPOSED_MAX && session->composed[i] != NULL && strcmp(session->composed[i], sql) != 0)
        i++;
    if (i == SQL_COMPOSED_MAX)
        return NULL;
    if (session->composed[i] == NULL)
        session->composed[i] = mem_dup(sql);
    return session->composed[i];
}

enum err sql_query_composed(struct store_session *s, struct sql_rows **ret, struct error *reterr, const char *sql,
                            const struct sql_value *values, int count)
{
    const char *kept = keep((struct sql_session *)s, sql);
    return sql_driver_of(s)->query(s, kept != NULL ? kept : sql, kept != NULL, values, count, ret, reterr);
}

enum err sql_query_once(struct store_session *s, struct sql_rows **ret, struct error *reterr, const char *sql,
                        const struct sql_value *values, int count)
{
    return sql_driver_of(s)->query(s, sql, false, values, count, ret, reterr);
}

static enum err run_list(struct store_session *s, bool now, int64_t *ret_changed, struct error *reterr, const char *sql,
                         const char *kinds, va_list *args)
{
    struct sql_value values[VALUES_MAX];
    int count = 0;
    enum err code = take_values(s, kinds, args, values, &count, reterr);
    return code == ERR_OK ? sql_driver_of(s)->run(s, sql, now, values, count, ret_changed, reterr) : code;
}

enum err sql_run(struct store_session *s, struct error *reterr, const char *sql, const char *kinds, ...)
{
    va_list args;
    int64_t ignored;
    va_start(args, kinds);
    enum err code = run_list(s, false, &ignored, reterr, sql, kinds, &args);
    va_end(args);
    return code;
}

enum err sql_change(struct store_session *s, int64_t *ret_changed, struct error *reterr, const char *sql,
                    const char *kinds, ...)
{
    va_list args;
    va_start(args, kinds);
    enum err code = run_list(s, true, ret_changed, reterr, sql, kinds, &args);
    va_end(args);
    return code;
}

enum err sql_expect(struct store_session *s, bool *ret_met, struct error *reterr, const char *sql, const char *kinds,
                    ...)
{
    struct sql_value values[VALUES_MAX];
    int count = 0;
    va_list args;
    va_start(args, kinds);
    enum err code = take_values(s, kinds, &args, values, &count, reterr);
    va_end(args);
    return code == ERR_OK ? sql_driver_of(s)->expect(s, sql, values, count, ret_met, reterr) : code;
}

enum err sql_step(struct store_session *s, struct sql_rows *rows, bool *ret_row, struct error *reterr)
{
    (void)s;
    return rows->driver->step(rows, ret_row, reterr);
}

enum err sql_number(struct store_session *s, int64_t *ret, struct error *reterr, const char *sql, const char *kinds,
                    ...)
{
    AUTO_RESET struct sql_rows *rows = NULL;
    va_list args;
    va_start(args, kinds);
    enum err code = query_list(s, &rows, reterr, sql, kinds, &args);
    va_end(args);
    bool row = false;
    if (code == ERR_OK)
        code = sql_step(s, rows, &row, reterr);
    if (code == ERR_OK && row)
        *ret = sql_int(rows, 0);
    return code;
}

void sql_reset(struct sql_rows **rows)
{
    if (*rows != NULL)
        (*rows)->driver->reset(*rows);
}

enum sql_constraint sql_constraint(struct store_session *s)
{
    return sql_driver_of(s)->constraint(s);
}

/* ---- columns */

const char *sql_text(struct sql_rows *rows, int column)
{
    return rows->driver->text(rows, column);
}

int64_t sql_int(struct sql_rows *rows, int column)
{
    return rows->driver->number(rows, column);
}

struct json *sql_json(struct sql_rows *rows, int column, bool *damaged)
{
    const char *text = sql_text(rows, column);
    struct json *value = NULL;
    if (text != NULL && json_parse(text, strlen(text), &value, NULL) != ERR_OK) {
        *damaged = true;
        return NULL;
    }
    return value;
}

enum err sql_damaged(const char *noun, const char *id, struct error *reterr)
{
    return error_set(reterr, ERR_INTERNAL, "id",
                     "What the store holds of the %s %.60s is damaged: restore it from a backup, or delete it.", noun,
                     id == NULL ? "" : id);
}

enum err sql_decoded(struct json *take_value, bool damaged, const char *noun, const char *id, struct json **ret,
                     struct error *reterr)
{
    if (!damaged) {
        *ret = take_value;
        return ERR_OK;
    }
    enum err code = sql_damaged(noun, id, reterr); /* the id may live in the value */
    json_unref(take_value);
    return code;
}

char *sql_dup(struct sql_rows *rows, int column, struct arena *arena)
{
    return arena_dup(arena, sql_text(rows, column));
}

void sql_copy(struct sql_rows *rows, int column, char *out, size_t cap)
{
    const char *text = sql_text(rows, column);
    (void)snprintf(out, cap, "%s", text == NULL ? "" : text);
}

/* ---- compressed texts */

enum { TEXT_MAX = 1 << 28 }; /* of one decompressed text: more is damage */

/* false: damaged. *ret is heap; NULL when null. */
static bool decompress(struct store_session *s, struct sql_rows *rows, int column, char **ret, size_t *ret_len)
{
    struct sql_session *session = (struct sql_session *)s;
    size_t bytes = 0;
    *ret = NULL;
    *ret_len = 0;
    if (rows->driver->is_null(rows, column))
        return true;
    const void *blob = rows->driver->bytes(rows, column, &bytes);
    unsigned long long size = ZSTD_getFrameContentSize(blob, blob == NULL ? 0 : bytes); /* an empty blob is no frame */
    if (size > TEXT_MAX)
        return false;
    if (session->decompressor == NULL && (session->decompressor = ZSTD_createDCtx()) == NULL)
        abort();
    char *text = mem_alloc((size_t)size + 1);
    size_t got = ZSTD_decompressDCtx(session->decompressor, text, (size_t)size, blob, bytes);
    if (ZSTD_isError(got) || got != size) {
        free(text);
        return false;
    }
    *ret = text;
    *ret_len = (size_t)size;
    return true;
}

enum err sql_decompress_json(struct store_session *s, struct sql_rows *rows, int column, const char *id,
                             struct json **ret, struct error *reterr)
{
    size_t len = 0;
    AUTO_FREE char *text = NULL;
    struct error ignored; /* of the parser: the client sent nothing wrong */
    bool good = decompress(s, rows, column, &text, &len);
    if (good && text != NULL)
        good = json_parse(text, len, ret, &ignored) == ERR_OK;
    return good ? ERR_OK : sql_damaged("execution", id, reterr);
}
