/* wait: lets the flow go on after a while, at a time, with a signal or with a person's answer, or says that it is too
 * late. Durable: a long wait is stored and takes no place in a worker. */
#include "nodes/node_int.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/seal.h"
#include "flow/approval.h"
#include "flow/cron.h"
#include <stdio.h>
#include <string.h>

#define WAIT_MAX_MS (INT64_C(10) * 366 * 86400 * 1000)
#define TOKEN_MIN 22 /* 128 random bits, six in each character */
#define TOKEN_MAX 128

/* ---- until when */

static enum err find_zone(const struct node_call *call, const struct time_zone **ret, struct error *reterr)
{
    return timezone_find(node_input_str(call, "timezone", "UTC"), ret, reterr);
}

/* 2026-03-01T08:00 or 2026-03-01T08:00:30: a wall clock's time, without an offset. */
static bool parse_local(const char *text, struct civil_time *ret)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd";
    size_t n = strlen(text);
    if (n != 16 && n != 19)
        return false;
    for (size_t i = 0; i < n; i++)
        if (shape[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != shape[i])
            return false;
    int numbers[6] = {0};
    for (size_t i = 0, k = 0; i < n; i++) {
        if (shape[i] == 'd')
            numbers[k] = numbers[k] * 10 + (text[i] - '0');
        else
            k++;
    }
    *ret = (struct civil_time){numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5], 0};
    return ret->year >= 1970 && ret->month >= 1 && ret->month <= 12 && ret->day >= 1 &&
           ret->day <= civil_days_in_month(ret->year, ret->month) && ret->hour < 24 && ret->minute < 60 &&
           ret->second < 60;
}

static enum err until_time(const struct node_call *call, int64_t *ret, struct error *reterr)
{
    const struct json *time = json_get(call->inputs, "untilTime");
    const struct time_zone *zone = NULL;
    struct civil_time local;
    int64_t instants[2];
    if (json_is_number(time) && json_as_double(time) >= 0 && json_as_double(time) < 9e15) {
        *ret = json_as_int(time);
    } else if (json_is(time, JSON_STRING) && parse_local(json_as_str(time), &local)) {
        enum err code = find_zone(call, &zone, reterr);
        if (code != ERR_OK)
            return code;
        (void)timezone_from_civil(zone, &local, instants);
        *ret = instants[0]; /* what comes twice, the first time; what is left out, right after */
    } else if (!json_is(time, JSON_STRING) || clock_parse_iso(json_as_str(time), ret) != 0) {
        return error_set(
            reterr, ERR_VALIDATION, "untilTime",
            "untilTime must be a time such as 2026-03-01T08:00:00Z, a local one such as 2026-03-01T08:00 in "
            "`timezone`, or Unix milliseconds.");
    }
    if (*ret > call->now_ms + WAIT_MAX_MS)
        return error_set(reterr, ERR_VALIDATION, "untilTime", "untilTime must be within the next ten years.");
    return ERR_OK;
}

static enum err until_cron(const struct node_call *call, int64_t *ret, struct error *reterr)
{
    struct error error = {0};
    enum err code = cron_next_text(node_input_str(call, "cron", ""), node_input_str(call, "timezone", "UTC"),
                                   call->now_ms, ret, &error);
    if (code == ERR_OK && *ret > call->now_ms + WAIT_MAX_MS)
        code = error_set(&error, ERR_VALIDATION, "cron", "The next instant of cron is more than ten years away.");
    if (code == ERR_OK)
        return ERR_OK;
    bool zone = strcmp(error.field, "timezone") == 0;
    return error_set(reterr, ERR_VALIDATION, zone ? "timezone" : "cron", "%s", error.message);
}

static enum err until(const struct node_call *call, int64_t *ret, struct error *reterr)
{
    bool has_time = json_get(call->inputs, "untilTime") != NULL, has_cron = json_get(call->inputs, "cron") != NULL;
    if (has_time == has_cron)
        return error_set(reterr, ERR_VALIDATION, "untilTime", "Set either untilTime or cron%s.",
                         has_time ? ", not both" : "");
    return has_time ? until_time(call, ret, reterr) : until_cron(call, ret, reterr);
}

/* ---- the four ways */

static int64_t deadline_of(const struct node_call *call)
{
    int64_t timeout = json_get_int(call->inputs, "timeoutMs", 0);
    return timeout > 0 ? call->now_ms + timeout : RUN_WAKE_NEVER;
}

/* What goes out when it is too late. */
static void set_timeout(struct node_call *call, int64_t deadline_ms)
{
    struct json *late = json_object_new();
    char text[ISO_TEXT_BYTES];
    clock_format_iso(deadline_ms, text);
    json_set_str(late, "deadline", text);
    json_set(late, "data", node_input_ref(call, "data"));
    node_call_set(call, "timeout", late);
}

static void wait_for_time(struct node_call *call, int64_t wake_ms)
{
    int64_t deadline = deadline_of(call);
    call->records = 1;
    if (wake_ms > deadline)
        set_timeout(call, deadline);
    else
        node_call_set(call, "output", node_input_ref(call, "data"));
    if (wake_ms > call->now_ms) /* a time that has passed is no wait */
        node_call_wait(call, wake_ms < deadline ? wake_ms : deadline);
}

static void wait_for(struct node_call *call, struct json *take_waiting)
{
    int64_t deadline = deadline_of(call);
    if (deadline < RUN_WAKE_NEVER)
        set_timeout(call, deadline);
    node_call_wait_for(call, take_waiting, deadline);
}

static enum err wait_duration(struct node_call *call, struct error *reterr)
{
    if (json_get(call->inputs, "durationMs") == NULL)
        return error_set(reterr, ERR_VALIDATION, "durationMs", "Set durationMs: how long to wait, in milliseconds.");
    wait_for_time(call, call->now_ms + json_get_int(call->inputs, "durationMs", 0));
    return ERR_OK;
}

static enum err wait_until(struct node_call *call, struct error *reterr)
{
    int64_t wake_ms = 0;
    enum err code = until(call, &wake_ms, reterr);
    if (code == ERR_OK)
        wait_for_time(call, wake_ms);
    return code;
}

static enum err wait_signal(struct node_call *call, struct error *reterr)
{
    (void)reterr;
    struct json *waiting = json_object_new();
    const char *name = node_input_str(call, "name", "");
    json_set_str(waiting, "kind", "signal");
    if (*name != '\0')
        json_set_str(waiting, "name", name);
    wait_for(call, waiting);
    return ERR_OK;
}

static enum err check_token(const char *token, struct error *reterr)
{
    size_t n = strlen(token);
    bool plain = n >= TOKEN_MIN && n <= TOKEN_MAX;
    for (size_t i = 0; plain && i < n; i++)
        plain = strchr("-_", token[i]) != NULL || (token[i] >= '0' && token[i] <= '9') ||
                ((token[i] | 32) >= 'a' && (token[i] | 32) <= 'z');
    return plain ? ERR_OK
                 : error_set(reterr, ERR_VALIDATION, "token",
                             "token must be %d to %d letters, digits, - and _ that nobody can guess.", TOKEN_MIN,
                             TOKEN_MAX);
}

static enum err check_form(const struct json *fields, struct error *reterr)
{
    for (size_t i = 0; i < json_count(fields); i++) {
        const char *name = json_get_str(json_at(fields, i), "name"), *type = json_get_str(json_at(fields, i), "type");
        char path[40];
        (void)snprintf(path, sizeof path, "fields[%zu].options", i);
        if (type != NULL && strcmp(type, "select") == 0 && json_count(json_get(json_at(fields, i), "options")) == 0)
            return error_set(reterr, ERR_VALIDATION, path, "%s must list what can be selected.", path);
        (void)snprintf(path, sizeof path, "fields[%zu].name", i);
        for (size_t k = 0; k < i; k++)
            if (strcmp(name, json_get_str(json_at(fields, k), "name")) == 0)
                return error_set(reterr, ERR_VALIDATION, path,
                                 "Two fields have the name \"%.60s\"; each needs its own.", name);
    }
    return ERR_OK;
}

static enum err wait_approval(struct node_call *call, struct error *reterr)
{
    char drawn[SEAL_WORD_BYTES], reference[APPROVAL_REFERENCE_BYTES];
    const char *token = node_input_str(call, "token", "");
    enum err code = check_form(json_get(call->inputs, "fields"), reterr);
    if (code == ERR_OK && *token != '\0')
        code = check_token(token, reterr);
    if (code != ERR_OK)
        return code;
    if (*token == '\0') {
        seal_word_new(drawn);
        token = drawn;
    }
    struct json *waiting = json_object_new(), *approval = json_object_new();
    json_set_str(approval, "title", node_input_str(call, "title", ""));
    json_set_str(approval, "message", node_input_str(call, "message", ""));
    json_set(approval, "fields", node_input_ref(call, "fields"));
    json_set_str(waiting, "kind", "signal");
    approval_reference(token, reference); /* one that was drawn is forgotten: the gateways sign a link */
    json_set_str(waiting, "token", reference);
    json_set(waiting, "approval", approval);
    node_call_log(call, "info", "Waits for an answer under the link of the execution's waits.");
    wait_for(call, waiting);
    return ERR_OK;
}

static const struct {
    const char *mode;
    enum err (*begin)(struct node_call *call, struct error *reterr);
} ways[] = {{"duration", wait_duration}, {"until", wait_until}, {"signal", wait_signal}, {"approval", wait_approval}};

static enum err execute(struct node_call *call, struct error *reterr)
{
    enum err code = node_inputs_check(call, reterr);
    const char *mode = node_input_str(call, "mode", "duration");
    for (size_t i = 0; code == ERR_OK && i < sizeof ways / sizeof *ways; i++)
        if (strcmp(ways[i].mode, mode) == 0)
            return ways[i].begin(call, reterr);
    return code;
}

/* ---- what it is */

static const struct flow_pin inputs[] = {
    {.name = "data", .type = "any", .description = "Passed on unchanged after a duration or at a time."}, {0}};
static const struct flow_pin outputs[] = {
    {.name = "output",
     .type = "any",
     .description = "After a duration or at a time: data. With a signal: its payload. With an answer: {approved, "
                    "comment, fields, answeredAt}."},
    {.name = "approved", .type = "object", .description = "The answer, when it is yes."},
    {.name = "rejected", .type = "object", .description = "The answer, when it is no."},
    {.name = "timeout", .type = "object", .description = "Too late: {deadline, data}."},
    {0}};

static const char *const modes[] = {"duration", "until", "signal", "approval", NULL};
static const char *const types[] = {"text", "textarea", "number", "date", "checkbox", "select", NULL};
static const struct field form_fields[] = {
    {.name = "name",
     .kind = FIELD_STRING,
     .required = true,
     .min = 1,
     .max = 60,
     .help = "What its value is called in the answer's fields."},
    {.name = "label", .kind = FIELD_STRING, .max = 200, .help = "What stands beside it; its name otherwise."},
    {.name = "type", .kind = FIELD_ENUM, .values = types, .default_json = "\"text\"", .help = "How it is entered."},
    {.name = "required", .kind = FIELD_BOOL, .default_json = "false", .help = "Whether it must be filled in."},
    {.name = "options", .kind = FIELD_STRINGS, .max = 100, .help = "What can be selected, for the type select."},
    {.name = "default", .kind = FIELD_ANY, .help = "What it holds at first."},
    {0}};

#define TIME_GROUP "Duration and time"
#define SIGNAL_GROUP "Signal and approval"
static const struct field fields[] = {
    {.name = "mode",
     .kind = FIELD_ENUM,
     .values = modes,
     .default_json = "\"duration\"",
     .help = "duration waits so long, until waits for a time, signal for a word over the API, approval for a person's "
             "answer."},
    {.name = "timeoutMs",
     .label = "Deadline (ms)",
     .kind = FIELD_INT,
     .min = 0,
     .max = WAIT_MAX_MS,
     .default_json = "0",
     .help = "After so many milliseconds it is too late: the flow goes on through timeout. 0 waits for ever."},
    {.name = "durationMs",
     .label = "Duration (ms)",
     .kind = FIELD_INT,
     .min = 0,
     .max = WAIT_MAX_MS,
     .group = TIME_GROUP,
     .help = "How long to wait, in milliseconds, with mode duration."},
    {.name = "untilTime",
     .label = "Until",
     .kind = FIELD_ANY,
     .group = TIME_GROUP,
     .help = "When to go on, with mode until: an ISO time, a local one without offset in timezone, or Unix "
             "milliseconds. A time that has passed does not wait."},
    {.name = "cron",
     .kind = FIELD_STRING,
     .max = CRON_TEXT_MAX,
     .widget = "cron",
     .group = TIME_GROUP,
     .help = "Instead of untilTime: the next instant of this expression, such as 0 8 * * MON-FRI."},
    {.name = "timezone",
     .kind = FIELD_STRING,
     .max = TIMEZONE_NAME_MAX,
     .default_json = "\"UTC\"",
     .group = TIME_GROUP,
     .help = "The zone of a local time and of cron, such as Europe/Madrid."},
    {.name = "name",
     .kind = FIELD_STRING,
     .max = 100,
     .group = SIGNAL_GROUP,
     .help = "Only a signal of this name ends the wait; without it any does."},
    {.name = "title",
     .kind = FIELD_STRING,
     .max = 200,
     .group = SIGNAL_GROUP,
     .help = "Heading of the approval's page."},
    {.name = "message",
     .kind = FIELD_STRING,
     .max = 4000,
     .widget = "textarea",
     .group = SIGNAL_GROUP,
     .help = "What the approval is about; lines stay lines."},
    {.name = "fields",
     .kind = FIELD_ARRAY,
     .max = 20,
     .fields = form_fields,
     .group = SIGNAL_GROUP,
     .help = "What else is asked: up to 20 fields of a form, beside approve, reject and a comment."},
    {.name = "token",
     .kind = FIELD_STRING,
     .max = TOKEN_MAX,
     .secret = true,
     .group = SIGNAL_GROUP,
     .help = "The last part of the link, when an earlier node has made it to send it to somebody: at least 22 "
             "characters that nobody can guess. Without it one is drawn."},
    {.name = "data", .kind = FIELD_ANY, .help = "A value to pass on, when no connection brings one."},
    {0}};
static const struct node_example examples[] = {
    {"Half a minute", "The value comes out after 30 seconds.", "{\"durationMs\":30000,\"data\":{\"id\":1}}",
     "{\"output\":{\"id\":1}}"},
    {"At a local time", "What has passed does not wait.",
     "{\"mode\":\"until\",\"untilTime\":\"2025-02-03T08:00\",\"timezone\":\"Europe/Madrid\",\"data\":1}",
     "{\"output\":1}"},
    {"For a signal, at most a day",
     "POST /api/v1/scheduler/executions/:id/signal {\"name\": \"paid\"} ends it; after a day this comes out.",
     "{\"mode\":\"signal\",\"name\":\"paid\",\"timeoutMs\":86400000}",
     "{\"timeout\":{\"deadline\":\"2025-03-02T01:30:00.250Z\",\"data\":null}}"},
    {"For an approval, at most a week", "What comes out when nobody has answered under the link.",
     "{\"mode\":\"approval\",\"title\":\"Send 40 orders?\",\"fields\":[{\"name\":\"reason\"}],\"timeoutMs\":604800000,"
     "\"data\":40}",
     "{\"timeout\":{\"deadline\":\"2025-03-08T01:30:00.250Z\",\"data\":40}}"},
    {0}};
static const struct node_trouble troubles[] = {
    {"It wakes at another hour", "A time without offset is one of timezone, which is UTC unless you set it.",
     "Set timezone, or write the offset: 2025-03-01T08:00:00+01:00."},
    {"A signal does not end the wait", "It has another name, or is for another node or iteration.",
     "Look at the execution's waits: they tell for what each node waits."},
    {"Nobody gets the link", "The wait makes it, and tells it in the execution's waits only.",
     "Let an earlier node make a token, send the link in a mail, and give the token to the wait."},
    {0}};

const struct node_type node_wait = {
    .spec = {.type = "wait", .inputs = inputs, .outputs = outputs, .fields = fields, .data_input = "data"},
    .name = "Wait",
    .version = "1.0.0",
    .description = "Lets the flow go on after a while, at a time, with a signal or with a person's answer.",
    .category = "logic",
    .icon = "clock",
    .timeout_ms = 5000,
    .concurrency = 1,
    .batch_size = 1,
    .tags = (const char *const[]){"logic", "wait", "signal", "approval", "deadline", NULL},
    .related = (const char *const[]){"delay", "sub-flow", NULL},
    .purpose = "Use it where the flow must not go on yet: for a time, for a word from another system, or for "
               "somebody's approval under a link with a small form. Waits are stored, take no place in a worker and "
               "survive restarts; with a deadline the flow goes on through timeout when nothing came.",
    .limitations = (const char *const[]){"At most ten years, 20 fields in a form.",
                                         "An execution keeps 1000 signals that no node has taken yet.", NULL},
    .best_practices = (const char *const[]){"Set a deadline where somebody might forget to answer.",
                                            "Whoever has the link may answer: send it to those who may.", NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_INLINE,
    .execute = execute,
};
