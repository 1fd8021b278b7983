/* command: runs a program on the worker's machine, where its owner allows that. */
#include "nodes/http_draft.h"
#include "nodes/node_int.h"
#include "nodes/process.h"

#include "base/mem.h"
#include "base/utf8.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_DEFAULT_MS 60000
#define OUTPUT_DEFAULT_BYTES (1 << 20)
#define OUTPUT_BYTES_MAX (16 << 20)
#define INPUT_BYTES_MAX (16 << 20)
#define ARGUMENTS_MAX 1000
#define ARGUMENTS_BYTES_MAX                                                                                            \
    (100 << 10) /* of all arguments and of the environment, each; Linux takes 128 KiB a text                           \
                 */
#define VARIABLES_MAX 200
#define LAST_LINE_BYTES_MAX 300

/* Text, with U+FFFD for what is no UTF-8 and for NUL, which stores do not take. */
static struct json *text_json(const char *bytes, size_t n)
{
    struct buf text;
    buf_init(&text, 0);
    for (size_t i = 0, step; i < n; i += step) {
        uint32_t point;
        step = utf8_decode(bytes + i, n - i, &point);
        if (step == 0 || point == 0)
            buf_add_str(&text, "\xEF\xBF\xBD");
        else
            buf_add(&text, bytes + i, step);
        step = step == 0 ? 1 : step;
    }
    struct json *json = json_string_new_n(buf_str(&text), text.len);
    buf_done(&text);
    return json;
}

static enum err decode_output(const struct node_call *call, const struct process_result *result, struct json **ret,
                              struct error *reterr)
{
    const char *as = node_input_str(call, "outputAs", "text");
    struct error error = {0};
    if (strcmp(as, "binary") == 0)
        *ret = http_binary_json(result->output, result->output_len, "application/octet-stream");
    else if (strcmp(as, "text") == 0)
        *ret = text_json(result->output, result->output_len);
    else if (json_parse(result->output, result->output_len, ret, &error) != ERR_OK)
        return error_set(reterr, ERR_NODE, "outputAs", "The program's output is not the JSON it must be: %s",
                         error.message);
    return ERR_OK;
}

/* How it ended, and the last line it wrote to standard error. */
static enum err exit_error(const struct process_result *result, struct error *reterr)
{
    AUTO_JSON struct json *errors = text_json(result->errors, result->errors_len);
    const char *text = json_as_str(errors), *end = text + json_as_str_len(errors);
    while (end > text && (end[-1] == '\n' || end[-1] == '\r'))
        end--;
    const char *line = end;
    while (line > text && line[-1] != '\n' && end - line < LAST_LINE_BYTES_MAX)
        line--;
    while (line < end && ((unsigned char)*line & 0xC0) == 0x80) /* cut inside of a character */
        line++;
    const char *what = result->signal != 0 ? "was ended by signal" : "ended with status";
    int number = result->signal != 0 ? result->signal : result->exit_code;
    if (line == end)
        return error_set(reterr, ERR_NODE, NULL, "The program %s %d.", what, number);
    return error_set(reterr, ERR_NODE, NULL, "The program %s %d: %.*s", what, number, (int)(end - line), line);
}

static void on_done(void *user, const struct process_result *result, const struct error *error)
{
    struct node_call *call = user;
    struct error own = {0};
    struct json *output = NULL;
    call->state = NULL;
    if (error == NULL && json_get_bool(call->inputs, "failOnExit", true) &&
        (result->signal != 0 || result->exit_code != 0))
        (void)exit_error(result, &own);
    if (error == NULL && own.code == ERR_OK)
        (void)decode_output(call, result, &output, &own);
    if (error != NULL || own.code != ERR_OK) {
        node_call_failed(call, error != NULL ? error : &own);
        return;
    }
    call->records = 1;
    node_call_set(call, "stdout", output);
    node_call_set(call, "stderr", text_json(result->errors, result->errors_len));
    node_call_set(call, "exitCode", result->signal != 0 ? NULL : json_int_new(result->exit_code));
    node_call_set(call, "signal", result->signal == 0 ? NULL : json_int_new(result->signal));
    node_call_done(call);
}

/* ---- what it gets */

static enum err read_arguments(const struct node_call *call, const char **arguments, struct error *reterr)
{
    const struct json *list = json_get(call->inputs, "command");
    size_t total = 0;
    for (size_t i = 0; i < json_count(list); i++) {
        const struct json *item = json_at(list, i);
        AUTO_FREE char *field = mem_printf("command[%zu]", i);
        arguments[i] = json_as_str(item);
        total += json_as_str_len(item) + 1;
        if (strlen(arguments[i]) != json_as_str_len(item))
            return error_set(reterr, ERR_VALIDATION, field, "%s must not contain NUL characters.", field);
    }
    if (arguments[0][0] == '\0')
        return error_set(reterr, ERR_VALIDATION, "command[0]", "command[0] must be a program, such as /usr/bin/sort.");
    if (total > ARGUMENTS_BYTES_MAX)
        return error_set(reterr, ERR_LIMIT, "command", "command must have at most %d bytes; hand data over as stdin.",
                         ARGUMENTS_BYTES_MAX);
    return ERR_OK;
}

static bool is_variable(const char *name)
{
    for (const char *c = name; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && *c != '_')
            return false;
    return *name != '\0' && !isdigit((unsigned char)*name);
}

static bool names(const struct json *object, const char *name)
{
    return json_get_str(object, name) != NULL;
}

/* The worker's own that are allowed, then the node's, which win. */
static enum err read_environment(const struct node_call *call, struct arena *arena, const char **environment,
                                 struct error *reterr)
{
    const struct json *own = json_get(call->inputs, "environment");
    size_t count = 0, total = 0;
    const char *const *allowed = call->host->command_environment;
    for (; allowed != NULL && *allowed != NULL && count < VARIABLES_MAX; allowed++) {
        const char *value = getenv(*allowed);
        if (value != NULL && !names(own, *allowed))
            environment[count++] = arena_printf(arena, "%s=%s", *allowed, value);
    }
    if (json_count(own) > VARIABLES_MAX - count)
        return error_set(reterr, ERR_LIMIT, "environment", "environment must have at most %zu variables.",
                         VARIABLES_MAX - count);
    struct json_iter i;
    JSON_EACH(own, i)
    {
        const char *value = json_as_str(i.value);
        AUTO_FREE char *field = mem_printf("environment.%.100s", i.key);
        if (!is_variable(i.key))
            return error_set(reterr, ERR_VALIDATION, field,
                             "%s: names of variables are letters, digits and _, and begin with no digit.", field);
        if (value == NULL || strlen(value) != json_as_str_len(i.value))
            return error_set(reterr, ERR_VALIDATION, field, "%s must be a string without NUL characters.", field);
        environment[count++] = arena_printf(arena, "%s=%s", i.key, value);
        total += strlen(i.key) + strlen(value) + 2;
    }
    if (total > ARGUMENTS_BYTES_MAX)
        return error_set(reterr, ERR_LIMIT, "environment", "environment must have at most %d bytes.",
                         ARGUMENTS_BYTES_MAX);
    return ERR_OK;
}

static enum err start(struct node_call *call, struct arena *arena, struct buf *input, struct error *reterr)
{
    const char **arguments = arena_alloc(arena, (ARGUMENTS_MAX + 1) * sizeof *arguments);
    const char **environment = arena_alloc(arena, (VARIABLES_MAX + 1) * sizeof *environment);
    const struct json *data = json_get(call->inputs, "stdin");
    enum err code = read_arguments(call, arguments, reterr);
    if (code == ERR_OK)
        code = read_environment(call, arena, environment, reterr);
    if (code != ERR_OK)
        return code;
    if (json_is(data, JSON_STRING))
        buf_add(input, json_as_str(data), json_as_str_len(data));
    else if (data != NULL)
        json_print(data, input);
    if (input->overflow)
        return error_set(reterr, ERR_LIMIT, "stdin", "stdin must have at most %d bytes.", INPUT_BYTES_MAX);
    struct process_options options = {
        .arguments = arguments,
        .environment = environment,
        .folder = call->host->data_dir == NULL ? "/" : call->host->data_dir,
        .input = buf_str(input),
        .input_len = input->len,
        .max_bytes = (size_t)json_get_int(call->inputs, "maxOutputBytes", OUTPUT_DEFAULT_BYTES),
        .timeout_ms = call->timeout_ms > 0 ? call->timeout_ms : TIMEOUT_DEFAULT_MS,
    };
    struct process *process = NULL;
    code = process_start(http_client_loop(call->host->http), &options, on_done, call, &process, reterr);
    call->state = process;
    return code;
}

static enum err execute(struct node_call *call, struct error *reterr)
{
    if (!call->host->allow_command)
        return error_set(reterr, ERR_UNSUPPORTED, NULL,
                         "This worker runs no programs; whoever runs Caudal can allow it with COMMAND_NODE_ENABLED.");
    enum err code = node_inputs_check(call, reterr);
    if (code != ERR_OK)
        return code;
    AUTO_ARENA struct arena arena;
    AUTO_BUF struct buf input;
    arena_init(&arena);
    buf_init(&input, INPUT_BYTES_MAX);
    return start(call, &arena, &input, reterr);
}

static void abort_program(struct node_call *call)
{
    process_kill(call->state);
    call->state = NULL;
}

static const char *const forms[] = {"text", "json", "binary", NULL};
static const struct flow_pin inputs[] = {
    {.name = "stdin", .type = "any", .description = "Its standard input: text as it is, other values as JSON."}, {0}};
static const struct flow_pin outputs[] = {
    {.name = "stdout", .type = "any", .description = "Its standard output, as outputAs says."},
    {.name = "stderr", .type = "string", .description = "Its standard error."},
    {.name = "exitCode", .type = "number", .description = "Its exit status; null when a signal ended it."},
    {.name = "signal", .type = "number", .description = "The signal that ended it, or null."},
    {0}};
static const struct field fields[] = {
    {.name = "command",
     .kind = FIELD_STRINGS,
     .required = true,
     .min = 1,
     .max = ARGUMENTS_MAX,
     .help = "The program, a path or a name in PATH, and its arguments, each as it is: no shell reads them."},
    {.name = "stdin", .kind = FIELD_ANY, .help = "Its standard input, when no connection brings it."},
    {.name = "environment",
     .kind = FIELD_OBJECT,
     .nullable = true,
     .widget = "key-value",
     .help = "Variables it gets, besides those of the worker that COMMAND_NODE_ENVIRONMENT names."},
    {.name = "outputAs",
     .kind = FIELD_ENUM,
     .values = forms,
     .default_json = "\"text\"",
     .label = "Output as",
     .help = "json reads it, and fails when it is none; binary gives {base64, contentType, size}."},
    {.name = "failOnExit",
     .kind = FIELD_BOOL,
     .default_json = "true",
     .label = "Fail on exit status",
     .help = "Fail when the exit status is not 0 or a signal ended it."},
    {.name = "maxOutputBytes",
     .kind = FIELD_INT,
     .min = 1,
     .max = OUTPUT_BYTES_MAX,
     .default_json = "1048576",
     .label = "Largest output (bytes)",
     .help = "A program that writes more, to output or error, is killed and fails the node."},
    {0}};
static const struct node_example examples[] = {
    {"Sort lines", "The program reads what the node before made.",
     "{\"command\":[\"sort\",\"-r\"],\"stdin\":\"a\\nb\\n\"}",
     "{\"stdout\":\"b\\na\\n\",\"stderr\":\"\",\"exitCode\":0,\"signal\":null}"},
    {"Characters of shells mean nothing", "Arguments arrive as they are.",
     "{\"command\":[\"printf\",\"%s\",\"[\\\"$(id)\\\"]\"],\"outputAs\":\"json\"}",
     "{\"stdout\":[\"$(id)\"],\"stderr\":\"\",\"exitCode\":0,\"signal\":null}"},
    {0}};
static const struct node_trouble troubles[] = {
    {"This worker runs no programs", "It is off unless COMMAND_NODE_ENABLED is true on the worker.",
     "Ask whoever runs Caudal."},
    {"… could not be started: No such file or directory", "The worker's machine has no such program in PATH.",
     "Install it there, or give its whole path."},
    {"The program did not end within 60000 ms and was killed", "It is slow, or waits for something.",
     "Raise the node's timeout."},
    {0}};

const struct node_type node_command = {
    .spec = {.type = "command", .inputs = inputs, .outputs = outputs, .fields = fields, .data_input = "stdin"},
    .name = "Command",
    .version = "1.0.0",
    .description = "Runs a program on the worker's machine.",
    .category = "logic",
    .icon = "terminal",
    .timeout_ms = TIMEOUT_DEFAULT_MS,
    .concurrency = 1,
    .batch_size = 1,
    .tags = (const char *const[]){"command", "program", "process", NULL},
    .related = (const char *const[]){"write-file", "csv-file", NULL},
    .purpose = "Use it for what only a program can do. It runs as the worker's user, in the data directory: whoever "
               "edits flows can do with it what the worker can, so it is off by default.",
    .requirements = (const char *const[]){"COMMAND_NODE_ENABLED=true on the worker.", NULL},
    .limitations =
        (const char *const[]){"At most 16 MiB of input and of output, 100 KiB of arguments.",
                              "The time limit is the node's timeout, or 60 seconds.",
                              "When it ends, its time is up or the flow is cancelled, its process group is killed.",
                              "A child of it that made a session of its own lives on.",
                              "It is not sealed off: it sees the files and the network that the worker sees.", NULL},
    .best_practices = (const char *const[]){"Hand data over as stdin, not as arguments: other users can read those.",
                                            "Give secrets as environment.", NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_ASYNC,
    .execute = execute,
    .abort = abort_program,
};
