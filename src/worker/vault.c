/* Names, sealing and a short memory of what was read. */
#include "worker/vault.h"

#include "base/limits.h"
#include "base/map.h"
#include "base/mem.h"
#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REMEMBERED_MAX 4096
#define REMEMBERED_BYTES ((size_t)16 << 20)
#define SURVEY_PORTION 500

/* What was found under a name, or that nothing was. */
struct remembered {
    char *text; /* a variable's JSON, or a secret's document; NULL: there is none */
    int64_t until_ms;
};

struct vault {
    struct store *store;
    struct seal_ring keys;
    pthread_mutex_t lock; /* of what follows */
    struct map memory;    /* "v/FLOW/NAME" -> struct remembered; "v/FLOW/": all variables of it */
    size_t bytes;
    unsigned changes; /* what was read before a change is not remembered after it */
};

struct vault *vault_new(struct store *store, const struct seal_ring *keys)
{
    struct vault *vault = mem_alloc(sizeof *vault);
    vault->store = store;
    vault->keys = *keys;
    pthread_mutex_init(&vault->lock, NULL);
    map_init(&vault->memory);
    return vault;
}

static void free_remembered(void *user, const char *key, void *value)
{
    (void)user;
    (void)key;
    struct remembered *remembered = value;
    free(remembered->text);
    free(remembered);
}

static void clear(struct vault *vault)
{
    map_each(&vault->memory, free_remembered, NULL);
    map_done(&vault->memory);
    map_init(&vault->memory);
    vault->bytes = 0;
}

void vault_free(struct vault *vault)
{
    if (vault == NULL)
        return;
    clear(vault);
    map_done(&vault->memory);
    pthread_mutex_destroy(&vault->lock);
    seal_ring_wipe(&vault->keys);
    free(vault);
}

void vault_forget(struct vault *vault)
{
    pthread_mutex_lock(&vault->lock);
    vault->changes++;
    clear(vault);
    pthread_mutex_unlock(&vault->lock);
}

/* ---- names */

static bool is_everyones(const char *name)
{
    static const char *const members[] = {"constructor",    "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable",
                                          "toLocaleString", "toString",       "valueOf",       NULL};
    for (size_t i = 0; members[i] != NULL; i++)
        if (strcmp(name, members[i]) == 0)
            return true;
    return strncmp(name, "__", 2) == 0;
}

enum err vault_check_name(const char *name, struct error *reterr)
{
    size_t n = 0;
    while (name[n] == '_' || (isalnum((unsigned char)name[n]) && (unsigned char)name[n] < 0x80))
        n++;
    if (n == 0 || n > VAULT_NAME_MAX || name[n] != '\0' || isdigit((unsigned char)name[0]))
        return error_set(reterr, ERR_VALIDATION, "name",
                         "name must be 1 to %d letters, digits or _, and not begin with a digit, such as API_TOKEN; "
                         "\"%.70s\" is not.",
                         VAULT_NAME_MAX, name);
    if (is_everyones(name))
        return error_set(reterr, ERR_VALIDATION, "name", "name must not be %s, which every JavaScript object has.",
                         name);
    return ERR_OK;
}

char *vault_id(struct arena *arena, const char *flow_id, const char *name)
{
    return arena_printf(arena, "%s/%s", flow_id == NULL ? VAULT_GLOBAL : flow_id, name);
}

/* ---- sealing */

enum err vault_has_key(const struct vault *vault, struct error *reterr)
{
    if (vault->keys.count > 0)
        return ERR_OK;
    return error_set(reterr, ERR_UNPROCESSABLE, NULL,
                     "Secrets need a key: make one with `caudal secret key`, and start every gateway and worker with "
                     "it as SECRETS_KEY.");
}

/* Where a secret belongs, as it is sealed for. */
static char *context_of(struct arena *arena, const struct json *document)
{
    const char *name = json_get_str(document, "name");
    return arena_printf(arena, "secret %s",
                        vault_id(arena, json_get_str(document, "flowId"), name == NULL ? "" : name));
}

enum err vault_seal(const struct vault *vault, struct json *document, const char *plain, size_t size,
                    struct error *reterr)
{
    AUTO_ARENA struct arena arena = {0};
    AUTO_BUF struct buf sealed = {0};
    enum err code = vault_has_key(vault, reterr);
    if (code == ERR_OK)
        code = seal_close(&vault->keys, context_of(&arena, document), plain, size, &sealed, reterr);
    if (code == ERR_OK)
        json_set_str(document, "sealed", buf_str(&sealed));
    return code;
}

static enum err open_document(const struct vault *vault, const struct json *document, struct buf *out,
                              struct error *reterr)
{
    AUTO_ARENA struct arena arena = {0};
    const char *sealed = json_get_str(document, "sealed");
    return seal_open(&vault->keys, context_of(&arena, document), sealed == NULL ? "" : sealed, out, reterr);
}

static void wipe(struct buf *plain)
{
    if (plain->data != NULL)
        explicit_bzero(plain->data, plain->cap);
}

bool vault_is_readable(const struct vault *vault, const struct json *document)
{
    AUTO_BUF struct buf plain = {0};
    bool readable = open_document(vault, document, &plain, NULL) == ERR_OK;
    wipe(&plain);
    return readable;
}

bool vault_is_current(const struct vault *vault, const struct json *document)
{
    const char *sealed = json_get_str(document, "sealed");
    return sealed != NULL && seal_is_current(&vault->keys, sealed);
}

enum err vault_reseal(const struct vault *vault, struct json *document, struct error *reterr)
{
    AUTO_BUF struct buf plain = {0};
    enum err code = open_document(vault, document, &plain, reterr);
    if (code == ERR_OK)
        code = vault_seal(vault, document, plain.data, plain.len, reterr);
    wipe(&plain);
    return code;
}

enum err vault_survey(const struct vault *vault, struct vault_survey *ret, struct error *reterr)
{
    struct store_session *session;
    struct vault_survey survey = {0};
    AUTO_ARENA struct arena arena = {0};
    const char *after = NULL;
    size_t count = SURVEY_PORTION;
    enum err code = store_read_begin(vault->store, &session, reterr);
    if (code != ERR_OK)
        return code;
    while (code == ERR_OK && count == SURVEY_PORTION) {
        AUTO_JSON struct json *list = NULL;
        code = store_scope_list(session, STORE_SECRETS, NULL, after, SURVEY_PORTION, &list, reterr);
        count = json_count(list);
        for (size_t i = 0; i < count; i++) {
            const struct json *document = json_at(list, i);
            survey.secrets++;
            survey.readable += vault_is_readable(vault, document);
            survey.current += vault_is_current(vault, document);
            if (i + 1 == count)
                after = vault_id(&arena, json_get_str(document, "flowId"), json_get_str(document, "name"));
        }
    }
    store_read_end(vault->store, session);
    if (code == ERR_OK)
        *ret = survey;
    return code;
}

/* ---- memory */

/* Whether the name is remembered; *ret_text is a copy (NULL: there is nothing), yours. */
static bool recall(struct vault *vault, const char *key, int64_t now_ms, char **ret_text)
{
    const struct remembered *found = map_get(&vault->memory, key);
    if (found == NULL || now_ms >= found->until_ms)
        return false;
    *ret_text = mem_dup(found->text);
    return true;
}

static void remember(struct vault *vault, const char *key, int64_t now_ms, const char *text)
{
    size_t bytes = text == NULL ? 0 : strlen(text);
    if (bytes > REMEMBERED_BYTES / 4)
        return;
    if (vault->memory.count >= REMEMBERED_MAX || vault->bytes + bytes > REMEMBERED_BYTES)
        clear(vault);
    struct remembered *remembered = mem_alloc(sizeof *remembered);
    *remembered = (struct remembered){.text = mem_dup(text), .until_ms = now_ms + VAULT_MEMORY_MS};
    vault->bytes += bytes;
    struct remembered *former = map_put(&vault->memory, key, remembered);
    if (former == NULL)
        return;
    vault->bytes -= former->text == NULL ? 0 : strlen(former->text);
    free_remembered(NULL, NULL, former);
}

static bool is_remembered(struct vault *vault, char kind, const char *flow_id, const char *name, int64_t now_ms)
{
    AUTO_FREE char *key = mem_printf("%c/%s/%s", kind, flow_id, name);
    const struct remembered *found = map_get(&vault->memory, key);
    return found != NULL && now_ms < found->until_ms;
}

bool vault_remembers(struct vault *vault, const char *flow_id, bool variables, const struct json *secrets,
                     int64_t now_ms)
{
    struct json_iter name;
    pthread_mutex_lock(&vault->lock);
    bool all = !variables || is_remembered(vault, 'v', flow_id, "", now_ms);
    JSON_EACH(secrets, name) all = all && is_remembered(vault, 's', flow_id, name.key, now_ms);
    pthread_mutex_unlock(&vault->lock);
    return all;
}

typedef enum err (*read_fn)(struct store_session *session, const char *flow_id, const char *name, struct json **ret,
                            struct error *reterr);

/* By `read`, unless it is remembered. *ret stays NULL when there is nothing. */
static enum err look_up(struct vault *vault, char kind, const char *flow_id, const char *name, int64_t now_ms,
                        read_fn read, struct json **ret, struct error *reterr)
{
    AUTO_FREE char *key = mem_printf("%c/%s/%s", kind, flow_id == NULL ? "" : flow_id, name), *text = NULL;
    AUTO_JSON struct json *loaded = NULL;
    struct store_session *session;
    pthread_mutex_lock(&vault->lock);
    bool known = recall(vault, key, now_ms, &text);
    unsigned changes = vault->changes;
    pthread_mutex_unlock(&vault->lock);
    if (known)
        return text == NULL ? ERR_OK : json_parse(text, strlen(text), ret, reterr);
    enum err code = store_read_begin(vault->store, &session, reterr);
    if (code != ERR_OK)
        return code;
    code = read(session, flow_id, name, &loaded, reterr);
    store_read_end(vault->store, session);
    if (code != ERR_OK && code != ERR_NOT_FOUND)
        return code;
    text = loaded == NULL ? NULL : json_dup_text(loaded);
    pthread_mutex_lock(&vault->lock);
    if (changes == vault->changes)
        remember(vault, key, now_ms, text);
    pthread_mutex_unlock(&vault->lock);
    *ret = json_ref(loaded);
    return ERR_OK;
}

static enum err read_one(struct store_session *session, enum store_table table, const char *flow_id, const char *name,
                         struct json **ret, struct error *reterr)
{
    AUTO_ARENA struct arena arena = {0};
    enum err code = store_get(session, table, vault_id(&arena, flow_id, name), ret, reterr);
    return code == ERR_NOT_FOUND ? store_get(session, table, vault_id(&arena, NULL, name), ret, reterr) : code;
}

static enum err read_secret(struct store_session *session, const char *flow_id, const char *name, struct json **ret,
                            struct error *reterr)
{
    return read_one(session, STORE_SECRETS, flow_id, name, ret, reterr);
}

static enum err read_variable(struct store_session *session, const char *flow_id, const char *name, struct json **ret,
                              struct error *reterr)
{
    return read_one(session, STORE_VARIABLES, flow_id, name, ret, reterr);
}

static enum err read_variables(struct store_session *session, const char *flow_id, const char *name, struct json **ret,
                               struct error *reterr)
{
    (void)name;
    AUTO_JSON struct json *all = json_object_new();
    const char *const scopes[] = {VAULT_GLOBAL, flow_id};
    size_t count = flow_id == NULL ? 1 : 2;
    for (size_t i = 0; i < count; i++) {
        AUTO_JSON struct json *list = NULL;
        enum err code = store_scope_list(session, STORE_VARIABLES, scopes[i], NULL, VAULT_SCOPE_MAX, &list, reterr);
        if (code != ERR_OK)
            return code;
        for (size_t k = 0; k < json_count(list); k++)
            json_set(all, json_get_str(json_at(list, k), "name"), json_ref(json_get(json_at(list, k), "value")));
    }
    *ret = json_ref(all);
    return ERR_OK;
}

static enum err unknown(const char *noun, const char *name, struct error *reterr)
{
    return error_set(reterr, ERR_NOT_FOUND, NULL, "There is no %s %.70s, neither of this flow nor a global one.", noun,
                     name);
}

enum err vault_variable(struct vault *vault, const char *flow_id, const char *name, int64_t now_ms, struct json **ret,
                        struct error *reterr)
{
    AUTO_JSON struct json *document = NULL;
    if (vault_check_name(name, NULL) != ERR_OK)
        return unknown("variable", name, reterr);
    enum err code = look_up(vault, 'v', flow_id, name, now_ms, read_variable, &document, reterr);
    if (code == ERR_OK && document == NULL)
        return unknown("variable", name, reterr);
    if (code == ERR_OK)
        *ret = json_ref(json_get(document, "value"));
    return code;
}

enum err vault_variables(struct vault *vault, const char *flow_id, int64_t now_ms, struct json **ret,
                         struct error *reterr)
{
    return look_up(vault, 'v', flow_id, "", now_ms, read_variables, ret, reterr);
}

enum err vault_secret(struct vault *vault, const char *flow_id, const char *name, int64_t now_ms, struct buf *out,
                      struct error *reterr)
{
    AUTO_JSON struct json *document = NULL;
    struct error why = {0};
    if (vault_check_name(name, NULL) != ERR_OK)
        return unknown("secret", name, reterr);
    enum err code = look_up(vault, 's', flow_id, name, now_ms, read_secret, &document, reterr);
    if (code == ERR_OK && document == NULL)
        return unknown("secret", name, reterr);
    if (code != ERR_OK)
        return code;
    code = open_document(vault, document, out, &why);
    return code == ERR_OK ? code
                          : error_set(reterr, code, NULL, "The secret %s cannot be opened. %s", name, why.message);
}
