/* delay: lets the flow go on later, durably. */
#include "nodes/node_int.h"

#include "base/clock.h"
#include <math.h>

#define DELAY_MAX_MS (INT64_C(10) * 366 * 86400 * 1000)

static enum err until(const struct node_call *call, int64_t *ret, struct error *reterr)
{
    const struct json *time = json_get(call->inputs, "untilTime");
    if (json_is_number(time)) {
        double ms = json_as_double(time);
        *ret = ms < 0 || ms > 9e15 ? -1 : json_as_int(time);
    } else if (!json_is(time, JSON_STRING) || clock_parse_iso(json_as_str(time), ret) != 0) {
        *ret = -1;
    }
    if (*ret >= 0 && *ret <= call->now_ms + DELAY_MAX_MS)
        return ERR_OK;
    return error_set(
        reterr, ERR_VALIDATION, "untilTime",
        "untilTime must be a time such as 2025-03-01T08:00:00Z or Unix milliseconds, within the next ten years.");
}

static enum err execute(struct node_call *call, struct error *reterr)
{
    enum err code = node_inputs_check(call, reterr);
    if (code != ERR_OK)
        return code;
    bool has_time = json_get(call->inputs, "untilTime") != NULL,
         has_duration = json_get(call->inputs, "durationMs") != NULL;
    if (has_time == has_duration)
        return error_set(reterr, ERR_VALIDATION, "durationMs", "Set either durationMs or untilTime%s.",
                         has_time ? ", not both" : "");
    int64_t wake_ms = call->now_ms + json_get_int(call->inputs, "durationMs", 0);
    if (has_time)
        code = until(call, &wake_ms, reterr);
    if (code != ERR_OK)
        return code;
    node_call_set(call, "output", node_input_ref(call, "data"));
    call->records = 1;
    if (wake_ms > call->now_ms) /* a time that has passed is no wait */
        node_call_wait(call, wake_ms);
    return ERR_OK;
}

static const struct flow_pin inputs[] = {
    {.name = "data", .type = "any", .description = "Passed on unchanged after the wait."}, {0}};
static const struct flow_pin outputs[] = {{.name = "output", .type = "any", .description = "data, unchanged."}, {0}};
static const struct field fields[] = {
    {.name = "durationMs",
     .label = "Duration (ms)",
     .kind = FIELD_INT,
     .min = 0,
     .max = DELAY_MAX_MS,
     .help = "How long to wait, in milliseconds."},
    {.name = "untilTime",
     .label = "Until",
     .kind = FIELD_ANY,
     .help = "When to go on: an ISO time (UTC when it has no offset) or Unix milliseconds."},
    {.name = "data", .kind = FIELD_ANY, .help = "A value to pass on, when no connection brings one."},
    {0}};
static const struct node_example examples[] = {
    {"Half a minute", "The value comes out after 30 seconds.", "{\"durationMs\":30000,\"data\":{\"id\":1}}",
     "{\"output\":{\"id\":1}}"},
    {"Until a time", "A time that has passed does not wait.", "{\"untilTime\":\"2025-01-01T00:00:00Z\",\"data\":1}",
     "{\"output\":1}"},
    {0}};
static const struct node_trouble troubles[] = {
    {"It wakes at another hour", "A time without offset is UTC.", "Write the offset: 2025-03-01T08:00:00+01:00."}, {0}};

const struct node_type node_delay = {
    .spec = {.type = "delay", .inputs = inputs, .outputs = outputs, .fields = fields, .data_input = "data"},
    .name = "Delay",
    .version = "1.0.0",
    .description = "Lets the flow go on after a while or at a time.",
    .category = "logic",
    .icon = "clock",
    .timeout_ms = 5000,
    .concurrency = 1,
    .batch_size = 1,
    .tags = (const char *const[]){"logic", "wait", "delay", NULL},
    .related = (const char *const[]){"schedule-trigger", NULL},
    .purpose = "Use it to wait, for milliseconds or for months: longer waits are stored and take no place in a worker, "
               "and a restart does not lose them.",
    .limitations = (const char *const[]){"At most ten years.", NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_INLINE,
    .execute = execute,
};
