/* schedule-trigger: what a schedule of the flow starts. The cron expression is the schedule's. */
#include "nodes/node_int.h"

#include "base/clock.h"
#include "base/mem.h"

static enum err execute(struct node_call *call, struct error *reterr)
{
    enum err code = node_inputs_check(call, reterr);
    if (code != ERR_OK)
        return code;
    char now[ISO_TEXT_BYTES];
    clock_format_iso(call->now_ms, now);
    struct json *tick = json_object_new();
    json_set_str(tick, "scheduledTime", node_input_str(call, "scheduledTime", now)); /* run by hand: now */
    json_set_str(tick, "firedTime", now);
    json_set_str(tick, "timezone", node_input_str(call, "timezone", "UTC"));
    if (json_has(call->inputs, "payload"))
        json_set(tick, "payload", node_input_ref(call, "payload"));
    node_call_set(call, "scheduledTime", json_string_new(json_get_str(tick, "scheduledTime")));
    node_call_set(call, "output", tick);
    call->records = 1;
    return ERR_OK;
}

static const struct flow_pin outputs[] = {
    {.name = "output", .type = "object", .description = "{scheduledTime, firedTime, timezone, payload}"},
    {.name = "scheduledTime", .type = "string", .description = "The instant the schedule meant."},
    {0}};
static const struct field fields[] = {
    {.name = "timezone",
     .label = "Time zone",
     .kind = FIELD_STRING,
     .min = 1,
     .max = 64,
     .default_json = "\"UTC\"",
     .help = "Handed to the flow, for what it says about local days."},
    {.name = "scheduledTime",
     .kind = FIELD_STRING,
     .max = 40,
     .help = "Set by the scheduler; give one to try a run by hand."},
    {.name = "payload", .kind = FIELD_ANY, .help = "Handed to the flow at each instant."},
    {0}};
static const struct node_example examples[] = {
    {"Every night", "At 02:30 in Madrid; here the instant is given, as the scheduler does.",
     "{\"timezone\":\"Europe/Madrid\",\"scheduledTime\":\"2025-03-01T01:30:00.000Z\"}",
     "{\"scheduledTime\":\"2025-03-01T01:30:00.000Z\",\"output\":{\"scheduledTime\":\"2025-03-01T01:30:00.000Z\","
     "\"firedTime\":\"2025-03-01T01:30:00.250Z\",\"timezone\":\"Europe/Madrid\"}}"},
    {0}};
static const struct node_trouble troubles[] = {{"The flow does not start",
                                                "It has no schedule, or the schedule is disabled.",
                                                "Look at the schedule and its nextRun."},
                                               {"It starts an hour off", "The schedule's time zone is UTC by default.",
                                                "Set the schedule's timezone to your own."},
                                               {0}};

const struct node_type node_schedule_trigger = {
    .spec = {.type = "schedule-trigger", .outputs = outputs, .fields = fields, .trigger = "schedule", .pure = true},
    .name = "Schedule Trigger",
    .version = "1.0.0",
    .description = "Where a schedule of the flow begins.",
    .category = "logic",
    .icon = "clock",
    .timeout_ms = 1000,
    .concurrency = 1,
    .batch_size = 1,
    .tags = (const char *const[]){"trigger", "schedule", "cron", NULL},
    .related = (const char *const[]){"manual-trigger", "webhook-trigger", "delay", NULL},
    .purpose = "Starts the flow again and again at the instants of its schedules, which have the cron expression and "
               "its time zone.",
    .limitations =
        (const char *const[]){"A flow without a schedule is not started: create one under /api/v1/scheduler/schedules.",
                              NULL},
    .best_practices =
        (const char *const[]){
            "Use scheduledTime, not the present time, for the period a run is about: it is the same on a retry.", NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_INLINE,
    .execute = execute,
};
