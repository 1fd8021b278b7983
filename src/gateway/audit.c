/* The audit log: who changed what, and who came in or was refused. */
#include "gateway/api_int.h"

#include <stdlib.h>

#define PRUNE_EVERY 100
#define PRUNE_PORTION 1000

struct entry {
    char *text; /* of the document: values belong to one thread */
    char id[ID_TEXT_BYTES];
    int64_t now_ms, before_ms; /* before_ms 0: nothing is deleted this time */
};

static enum err write_entry(struct store_session *session, void *arg, struct error *reterr)
{
    const struct entry *entry = arg;
    AUTO_JSON struct json *document = NULL;
    enum err code = json_parse(entry->text, strlen(entry->text), &document, reterr);
    if (code == ERR_OK)
        code = store_put(session, STORE_AUDIT, entry->id, document, entry->now_ms, reterr);
    if (code == ERR_OK && entry->before_ms > 0)
        code = store_audit_prune(session, entry->before_ms, PRUNE_PORTION, reterr);
    return code;
}

static void on_written(void *user, enum err code, const struct error *error)
{
    struct entry *entry = user;
    if (code != ERR_OK) /* what it tells of has happened: the log keeps it */
        log_event(LOG_ERROR, "an audit entry cannot be stored", LOG_STR("entry", entry->text), LOG_CAUSE(error),
                  LOG_END);
    free(entry->text);
    free(entry);
}

void api_audit(struct api *api, const struct http_request *request, const struct audit *audit)
{
    static atomic_uint count;
    AUTO_JSON struct json *document = json_object_new();
    struct entry *entry = mem_alloc(sizeof *entry);
    char at[ISO_TEXT_BYTES];
    int64_t days = config_int(api->options.config, CONFIG_AUDIT_DAYS);
    entry->now_ms = clock_now_ms();
    entry->before_ms = atomic_fetch_add(&count, 1) % PRUNE_EVERY == 0 ? entry->now_ms - days * INT64_C(86400000) : 0;
    id_new(entry->id);
    clock_format_iso(entry->now_ms, at);
    json_set_str(document, "id", entry->id);
    json_set_str(document, "at", at);
    json_set_str(document, "actor", audit->actor);
    json_set_str(document, "action", audit->action);
    json_set_str(document, "target", audit->target);
    json_set_str(document, "address", request->client);
    if (request->principal != NULL && request->principal->key_id != NULL)
        json_set_str(document, "apiKeyId", request->principal->key_id);
    entry->text = json_dup_text(document);
    store_write_async(api->options.store, write_entry, entry, on_written, entry);
}

/* ---- the list */

struct listing {
    const struct json *filter;
    struct json *loaded;
};

static enum err read_entries(struct store_session *session, void *arg, struct error *reterr)
{
    struct listing *listing = arg;
    return store_audit_list(session, listing->filter, &listing->loaded, reterr);
}

static enum err list_entries(struct api *api, struct http_request *request, struct error *reterr)
{
    static const char *const names[] = {NULL};
    AUTO_JSON struct json *filter = NULL;
    enum err code = api_filter(request, names, 20, &filter, reterr);
    struct listing listing = {.filter = filter};
    if (code == ERR_OK)
        code = api_read(api, read_entries, &listing, reterr);
    if (code == ERR_OK)
        http_reply(request, 200, listing.loaded);
    return code;
}

const struct route audit_routes[] = {{"GET", "/api/v1/audit", ROLE_ADMIN, ROUTE_LIST, NULL, NULL, 200, "access",
                                      "Who changed what, newest first", list_entries, &answer_audit_page},
                                     {0}};
