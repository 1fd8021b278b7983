/* Routes that start executions again, and that handle several at once. */
#include "gateway/api_int.h"

#include <stdlib.h>

static const char *const versions[] = {"newest", "same", NULL};
static const struct field rerun_fields[] = {
    {.name = "input", .kind = FIELD_ANY, .help = "Another input; absent: the same."},
    {.name = "version",
     .kind = FIELD_ENUM,
     .values = versions,
     .default_json = "\"newest\"",
     .help = "The flow as it is now, or the version that ran."},
    {0}};

static char *print_or_null(const struct json *value)
{
    return value == NULL ? NULL : json_dup_text(value);
}

/* Any execution, finished or not, runs once more from its beginning, as one of its own. */
static enum err rerun(struct api *api, struct http_request *request, struct error *reterr)
{
    AUTO_JSON struct json *old = NULL;
    char id[ID_TEXT_BYTES];
    enum err code = api_execution_detail(api, request->params[0], &old, reterr);
    if (code != ERR_OK)
        return code;
    const char *version = json_get_str(request->json, "version");
    bool edited = json_has(request->json, "input"), same = version != NULL && strcmp(version, "same") == 0;
    AUTO_JSON struct json *metadata =
        json_get(old, "metadata") == NULL ? json_object_new() : json_dup(json_get(old, "metadata"));
    json_set_str(metadata, "rerunOf", request->params[0]);
    AUTO_FREE char *input = print_or_null(json_get(edited ? request->json : old, "input"));
    AUTO_FREE char *kept = json_dup_text(metadata);
    struct start_request wanted = {.flow_id = json_get_str(old, "flowId"),
                                   .flow_version = same ? (int)json_get_int(old, "flowVersion", 0) : 0,
                                   .trigger = json_get_str(old, "trigger"),
                                   .trigger_node = json_get_str(old, "triggerNode"),
                                   .idempotency_key = http_request_header(request, "Idempotency-Key"),
                                   .input_json = input,
                                   .metadata_json = kept,
                                   .priority = (int)json_get_int(old, "priority", 1)};
    code = api_start(api, &wanted, id, reterr);
    if (code != ERR_OK)
        return code;
    struct json *payload = json_object_new();
    json_set_str(payload, "executionId", id);
    json_set_str(payload, "status", "pending");
    http_reply(request, 201, payload);
    return ERR_OK;
}

/* ---- several: each for itself, what fails is listed */

static const struct field bulk_fields[] = {{.name = "executionIds",
                                            .kind = FIELD_STRINGS,
                                            .required = true,
                                            .min = 1,
                                            .max = 100,
                                            .help = "Ids of executions."},
                                           {0}};

static enum err retry_one(void *api, const char *id, struct error *reterr)
{
    char new_id[ID_TEXT_BYTES];
    return api_retry(api, id, false, NULL, new_id, reterr);
}

static enum err cancel_one(void *api, const char *id, struct error *reterr)
{
    return api_cancel(api, id, reterr);
}

static enum err delete_one(void *api, const char *id, struct error *reterr)
{
    return api_delete(api, id, reterr);
}

static enum err cancel_many(struct api *api, struct http_request *request, struct error *reterr)
{
    (void)reterr;
    http_reply_each(request, "executionId", cancel_one, api);
    return ERR_OK;
}

static enum err retry_many(struct api *api, struct http_request *request, struct error *reterr)
{
    (void)reterr;
    http_reply_each(request, "executionId", retry_one, api);
    return ERR_OK;
}

static enum err delete_many(struct api *api, struct http_request *request, struct error *reterr)
{
    (void)reterr;
    http_reply_each(request, "executionId", delete_one, api);
    return ERR_OK;
}

/* ---- kept: retention leaves it alone */

struct keeping {
    const char *id;
    bool keep;
};

static enum err write_keep(struct store_session *session, void *arg, struct error *reterr)
{
    const struct keeping *keeping = arg;
    return store_execution_keep(session, keeping->id, keeping->keep, reterr);
}

static enum err set_kept(struct api *api, struct http_request *request, bool keep, struct error *reterr)
{
    struct keeping keeping = {.id = request->params[0], .keep = keep};
    struct json *detail = NULL;
    enum err code = store_write(api->options.store, write_keep, &keeping, reterr);
    if (code == ERR_OK)
        code = api_execution_detail(api, request->params[0], &detail, reterr);
    if (code == ERR_OK)
        http_reply(request, 200, detail);
    return code;
}

static enum err keep_one(struct api *api, struct http_request *request, struct error *reterr)
{
    return set_kept(api, request, true, reterr);
}

static enum err release_one(struct api *api, struct http_request *request, struct error *reterr)
{
    return set_kept(api, request, false, reterr);
}

#define BASE "/api/v1/scheduler/executions"
const struct route execution_again_routes[] = {
    {"POST", BASE "/bulk/cancel", ROLE_OPERATOR, 0, bulk_fields, NULL, 200, "executions", "Cancel several executions",
     cancel_many, &answer_bulk_executions},
    {"POST", BASE "/bulk/retry", ROLE_OPERATOR, 0, bulk_fields, NULL, 200, "executions",
     "Run several failed executions again", retry_many, &answer_bulk_executions},
    {"POST", BASE "/bulk/delete", ROLE_OPERATOR, 0, bulk_fields, NULL, 200, "executions",
     "Delete several finished executions", delete_many, &answer_bulk_executions},
    {"POST", BASE "/:id/rerun", ROLE_OPERATOR, ROUTE_ID, rerun_fields, NULL, 201, "executions",
     "Run an execution once more, with the same input or another", rerun, &answer_execution_start},
    {"POST", BASE "/:id/keep", ROLE_OPERATOR, ROUTE_ID, NULL, NULL, 200, "executions",
     "Keep an execution: retention leaves it alone", keep_one, &answer_execution},
    {"POST", BASE "/:id/release", ROLE_OPERATOR, ROUTE_ID, NULL, NULL, 200, "executions",
     "Keep an execution no longer than others", release_one, &answer_execution},
    {0}};
