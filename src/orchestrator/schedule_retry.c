/* A scheduled execution that failed is started again after a while, as its schedule says (api-contract 1.3, 5.4). */
#include "orchestrator/orchestrator_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include <string.h>

#define DELAY_MAX_MS (24 * 3600 * INT64_C(1000))

/* What another attempt cannot mend. */
static bool is_permanent(const struct store_finish *finish)
{
    switch (finish->error_id == NULL ? ERR_INTERNAL : error_parse_id(finish->error_id)) {
    case ERR_VALIDATION:
    case ERR_UNAUTHORIZED:
    case ERR_FORBIDDEN:
    case ERR_NOT_FOUND:
    case ERR_UNSUPPORTED:
        return true;
    default:
        return finish->error_message != NULL && strstr(finish->error_message, "PERMANENT_FAILURE") != NULL;
    }
}

static int64_t delay_ms(const struct json *schedule, int64_t retries)
{
    int64_t delay = json_get_int(schedule, "retryDelay", 300) * 1000;
    for (int64_t i = 0; i < retries && delay < DELAY_MAX_MS; i++)
        delay *= 2;
    return delay < DELAY_MAX_MS ? delay : DELAY_MAX_MS;
}

/* Waits in the store like any other wait. Its id follows from the failed one's, so that a repeated write gives the
 * same. */
static enum err insert(struct store_session *session, const struct json *failed, int64_t now_ms, int64_t wake_ms,
                       struct error *reterr)
{
    char id[ID_TEXT_BYTES];
    struct rng rng = {.state = hash_str(json_get_str(failed, "id"))};
    AUTO_FREE char *input = json_get(failed, "input") == NULL ? NULL : json_dup_text(json_get(failed, "input"));
    id_format(now_ms, &rng, id);
    struct store_execution row = {.id = id,
                                  .flow_id = json_get_str(failed, "flowId"),
                                  .flow_version = (int)json_get_int(failed, "flowVersion", 1),
                                  .schedule_id = json_get_str(failed, "scheduleId"),
                                  .trigger = "schedule",
                                  .trigger_node = json_get_str(failed, "triggerNode"),
                                  .priority = (int)json_get_int(failed, "priority", 1),
                                  .input_json = input,
                                  .created_ms = now_ms,
                                  .wake_ms = wake_ms,
                                  .retry_count = (int)json_get_int(failed, "retryCount", 0) + 1};
    return store_execution_insert(session, &row, reterr);
}

enum err schedule_retry(struct store_session *session, const struct store_event *event, int64_t *ret_wake_ms,
                        struct error *reterr)
{
    const struct store_finish *finish = event->finish;
    AUTO_JSON struct json *failed = NULL;
    AUTO_JSON struct json *schedule = NULL;
    *ret_wake_ms = 0;
    if ((finish->status != RUN_FAILED && finish->status != RUN_TIMEOUT) || is_permanent(finish))
        return ERR_OK;
    enum err code = store_execution_load(session, event->execution_id, &failed, reterr);
    const char *schedule_id = json_get_str(failed, "scheduleId");
    if (code != ERR_OK || schedule_id == NULL)
        return code;
    int64_t retries = json_get_int(failed, "retryCount", 0);
    code = store_schedule_load(session, schedule_id, &schedule, reterr);
    if (code != ERR_OK || !json_get_bool(schedule, "enabled", false) ||
        retries >= json_get_int(schedule, "maxRetries", 0))
        return code;
    json_unref(failed);
    failed = NULL;
    code = store_execution_load_detail(session, event->execution_id, &failed, reterr);
    int64_t wake = event->at_ms + delay_ms(schedule, retries);
    if (code == ERR_OK)
        code = insert(session, failed, event->at_ms, wake, reterr);
    if (code == ERR_OK)
        *ret_wake_ms = wake;
    return code;
}
