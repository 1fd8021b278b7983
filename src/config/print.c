/* Prints the values in force, and the reference page. */
#include "config/config_int.h"

#include "json/json.h"
#include <inttypes.h>
#include <string.h>

static const char *const kind_names[] = {"string", "integer", "bytes", "boolean", "enum", "url", "list"};

static bool is_read_by(const struct config_variable *variable, int service)
{
    return (variable->services & 1u << service) != 0;
}

static const char *source(const struct config_value *value)
{
    return value->from_environment ? "environment" : value->text == NULL ? "not set" : "default";
}

void config_print_text(const struct config *config, struct buf *out)
{
    buf_printf(out, "# %s\n", config_service_name(config->service));
    for (int id = 0; id < CONFIG_COUNT; id++) {
        const struct config_value *value = &config->values[id];
        if (!is_read_by(&config_variables[id], (int)config->service))
            continue;
        AUTO_BUF struct buf shown;
        buf_init(&shown, 0);
        if (value->text != NULL)
            config_value_mask(&config_variables[id], value->text, &shown);
        buf_printf(out, "%-30s %-40s %s\n", config_variables[id].name, value->text == NULL ? "-" : buf_str(&shown),
                   source(value));
    }
}

static struct json *variable_json(const struct config *config, int id)
{
    const struct config_variable *variable = &config_variables[id];
    const struct config_value *value = &config->values[id];
    struct json *object = json_object_new();
    AUTO_BUF struct buf shown;
    buf_init(&shown, 0);
    if (value->text != NULL)
        config_value_mask(variable, value->text, &shown);
    json_set_str(object, "name", variable->name);
    if (value->text == NULL)
        json_set(object, "value", NULL);
    else if (variable->kind == CONFIG_INT || variable->kind == CONFIG_BYTES)
        json_set_int(object, "value", value->number);
    else if (variable->kind == CONFIG_BOOL)
        json_set_bool(object, "value", value->number != 0);
    else
        json_set_str(object, "value", buf_str(&shown));
    json_set_str(object, "source", source(value));
    json_set_str(object, "type", kind_names[variable->kind]);
    json_set_str(object, "unit", variable->unit);
    json_set_bool(object, "secret", variable->secret);
    json_set_str(object, "help", variable->help);
    return object;
}

void config_print_json(const struct config *config, struct buf *out)
{
    AUTO_JSON struct json *root = json_object_new();
    struct json *variables = json_array_new();
    json_set_str(root, "service", config_service_name(config->service));
    for (int id = 0; id < CONFIG_COUNT; id++)
        if (is_read_by(&config_variables[id], (int)config->service))
            json_push(variables, variable_json(config, id));
    json_set(root, "variables", variables);
    json_print_pretty(root, out);
    buf_add_char(out, '\n');
}

static void add_services(const struct config_variable *variable, struct buf *out)
{
    const char *before = "";
    if (variable->services == ON_ALL) {
        buf_add_str(out, "all");
        return;
    }
    for (int service = 0; service < SERVICE_COUNT; service++)
        if (is_read_by(variable, service)) {
            buf_printf(out, "%s%s", before, config_service_name((enum service)service));
            before = ", ";
        }
}

static void add_default(const struct config_variable *variable, int service, struct buf *out)
{
    const char *text = variable->defaults[service];
    if (text != NULL)
        buf_printf(out, "`%s`", text);
    else
        buf_add_str(out, variable->required ? "required" : "none");
}

static bool is_same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void add_defaults(const struct config_variable *variable, struct buf *out)
{
    int first = 0;
    bool same = true;
    while (!is_read_by(variable, first))
        first++;
    for (int service = first; service < SERVICE_COUNT; service++)
        same = same &&
               (!is_read_by(variable, service) || is_same_text(variable->defaults[service], variable->defaults[first]));
    const char *before = "";
    for (int service = first; service < (same ? first + 1 : SERVICE_COUNT); service++)
        if (is_read_by(variable, service)) {
            buf_add_str(out, before);
            add_default(variable, service, out);
            if (!same)
                buf_printf(out, " (%s)", config_service_name((enum service)service));
            before = "<br>";
        }
}

static void add_allowed(const struct config_variable *variable, struct buf *out)
{
    config_describe_allowed(variable, is_read_by(variable, SERVICE_STANDALONE) ? SERVICE_STANDALONE : SERVICE_WORKER,
                            out);
    if (variable->local_schemes != NULL)
        buf_printf(out, " (%s: on standalone only)", variable->local_schemes[0]);
    if (variable->unit != NULL)
        buf_printf(out, "; unit: %s", variable->unit);
    if (variable->secret)
        buf_add_str(out, "; secret");
}

void config_print_markdown(struct buf *out)
{
    buf_add_str(
        out, "# Configuration\n\n"
             "<!-- Generated from src/config/variables.h. A test fails when this page drifts; the test "
             "unit_config_test_reference rewrites it when CAUDAL_UPDATE_REFERENCE=1 is set. -->\n\n"
             "Every service is configured by environment variables, read once at its start. An empty variable counts "
             "as not set. A wrong value stops the start with one line that names the variable, the value and what "
             "would be right. `caudal config` prints the values in force, with secrets masked.\n\n"
             "| Variable | Read by | Default | Allowed | Meaning |\n|---|---|---|---|---|\n");
    for (int id = 0; id < CONFIG_COUNT; id++) {
        buf_printf(out, "| `%s` | ", config_variables[id].name);
        add_services(&config_variables[id], out);
        buf_add_str(out, " | ");
        add_defaults(&config_variables[id], out);
        buf_add_str(out, " | ");
        AUTO_BUF struct buf allowed;
        buf_init(&allowed, 0);
        add_allowed(&config_variables[id], &allowed);
        buf_printf(out, "%s | %s |\n", buf_str(&allowed), config_variables[id].help);
    }
    buf_add_str(
        out,
        "\n## Rules between variables\n\n"
        "- Without `JWT_SECRET`, `HOST` of a gateway, orchestrator or standalone must be a loopback address.\n"
        "- `QUEUE_LOW_WATER_MARK` must be less than `QUEUE_HIGH_WATER_MARK`.\n"
        "- `MIN_WORKERS` must be at most `MAX_WORKERS`.\n"
        "- `PORT`, `WS_PORT`, `METRICS_PORT` (while `METRICS_ENABLED`) and `HEALTH_CHECK_PORT` of one service must "
        "differ, apart from 0.\n"
        "- With `REDIS_CLUSTER_ENABLED`, `REDIS_URL` must be the address of a Redis Cluster.\n\n"
        "`${HOSTNAME}` is the variable of that name, or else the name of the machine. `${DATA_DIR}` in the default "
        "of `DATABASE_URL` is the directory in force.\n");
}
