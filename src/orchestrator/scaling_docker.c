/* Workers as containers (Docker Engine API 1.41, over its socket): made like one that is there, each with a name of its
 * own. A container goes when its worker has drained. */
#include "orchestrator/scaling_driver.h"

#include "base/mem.h"
#include "json/json.h"
#include "nodes/http_client.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WITHIN_MS 30000
#define API "http://docker/v1.41"

/* Of each worker: the template is read, a container is made of it, and started. */
enum step { STEP_READ, STEP_CREATE, STEP_START };

struct containers {
    struct scaling_driver base;
    struct loop *loop;
    const struct scaling_options *options;
    struct http_client *http;
    struct http_transfer *transfer;
    char **names; /* of the order */
    size_t count, at;
    enum step step;
    struct json *template;
    scaling_done_fn done;
    void *user;
    struct error error;
};

static void advance(void *user);

static void finish(struct containers *containers)
{
    for (size_t i = 0; i < containers->count; i++)
        free(containers->names[i]);
    free(containers->names);
    containers->names = NULL;
    containers->count = 0;
    json_unref(containers->template);
    containers->template = NULL;
}

static void conclude(struct containers *containers, const struct error *error)
{
    finish(containers);
    containers->done(containers->user, error);
}

static void on_answer(void *user, const struct http_response *response, const struct error *error)
{
    struct containers *containers = user;
    static const char *const steps[] = {"template cannot be read", "container cannot be made",
                                        "container cannot be started"};
    struct error refused = {0};
    containers->transfer = NULL;
    if (error == NULL && response->status / 100 != 2 && response->status != 304)
        refused.code = error_set(&refused, ERR_IO, NULL, "Docker answered with status %d, the %s: %.300s",
                                 response->status, steps[containers->step], response->body);
    else if (error == NULL && containers->step == STEP_READ)
        refused.code = json_parse(response->body, response->body_len, &containers->template, &refused);
    if (error != NULL || refused.code != ERR_OK) {
        conclude(containers, error != NULL ? error : &refused);
        return;
    }
    if (containers->step == STEP_START && ++containers->at == containers->count) {
        conclude(containers, NULL);
        return;
    }
    containers->step = containers->step == STEP_START ? STEP_CREATE : containers->step + 1;
    advance(containers);
}

static bool is_own(const char *variable)
{
    return strncmp(variable, "WORKER_ID=", 10) == 0 || strncmp(variable, "HOSTNAME=", 9) == 0;
}

/* What the template's container runs with, but for its name; gone when it has ended. */
static struct json *container_of(const struct containers *containers, const char *worker_id)
{
    static const char *const kept[] = {"Image", "Cmd", "Entrypoint", "User", "WorkingDir", "StopSignal", "StopTimeout"};
    static const char *const host_kept[] = {"NetworkMode", "Binds", "Memory", "NanoCpus", "LogConfig", "ExtraHosts"};
    const struct json *config = json_get(containers->template, "Config"), *given = json_get(config, "Env"),
                      *host = json_get(containers->template, "HostConfig");
    struct json *made = json_object_new(), *environment = json_array_new(), *labels = json_object_new(),
                *made_host = json_object_new();
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (json_has(config, kept[i]))
            json_set(made, kept[i], json_ref(json_get(config, kept[i])));
    for (size_t i = 0; i < json_count(given); i++)
        if (json_as_str(json_at(given, i)) != NULL && !is_own(json_as_str(json_at(given, i))))
            json_push(environment, json_ref(json_at(given, i)));
    AUTO_FREE char *id = mem_printf("WORKER_ID=%s", worker_id);
    json_push(environment, json_string_new(id));
    json_set(made, "Env", environment);
    json_set_str(labels, "caudal.worker", worker_id);
    json_set(made, "Labels", labels);
    for (size_t i = 0; i < sizeof host_kept / sizeof *host_kept; i++)
        if (json_has(host, host_kept[i]))
            json_set(made_host, host_kept[i], json_ref(json_get(host, host_kept[i])));
    json_set_bool(made_host, "AutoRemove", true);
    json_set(made, "HostConfig", made_host);
    return made;
}

static enum err send_step(struct containers *containers, struct error *reterr)
{
    static const struct http_header headers[] = {{"Content-Type", "application/json"}};
    const char *name = containers->names[containers->at];
    AUTO_FREE char *url = NULL, *body = NULL;
    if (containers->step == STEP_READ)
        url = mem_printf(API "/containers/%s/json", containers->options->docker_template);
    else if (containers->step == STEP_CREATE)
        url = mem_printf(API "/containers/create?name=caudal-%s", name);
    else
        url = mem_printf(API "/containers/caudal-%s/start", name);
    if (containers->step == STEP_CREATE) {
        AUTO_JSON struct json *container = container_of(containers, name);
        body = json_dup_text(container);
    }
    struct http_request request = {.method = containers->step == STEP_READ ? "GET" : "POST",
                                   .url = url,
                                   .unix_socket = containers->options->docker_socket,
                                   .headers = headers,
                                   .header_count = body == NULL ? 0 : 1,
                                   .body = body,
                                   .body_len = body == NULL ? 0 : strlen(body),
                                   .timeout_ms = WITHIN_MS,
                                   .proxy = ""};
    return http_client_start(containers->http, &request, on_answer, containers, &containers->transfer, reterr);
}

/* Posted for the first step; what fails then is told from the loop. */
static void advance(void *user)
{
    struct containers *containers = user;
    if (containers->count == 0)
        conclude(containers, NULL);
    else if (send_step(containers, &containers->error) != ERR_OK)
        conclude(containers, &containers->error);
}

static void apply_containers(struct scaling_driver *driver, const struct scaling_order *order, scaling_done_fn done,
                             void *user)
{
    struct containers *containers = (struct containers *)driver;
    containers->done = done;
    containers->user = user;
    containers->step = STEP_READ;
    containers->at = 0;
    containers->count = order->start_count;
    containers->names = mem_array(order->start_count + 1, sizeof *containers->names);
    for (size_t i = 0; i < order->start_count; i++)
        containers->names[i] = mem_dup(order->start[i]);
    loop_post(containers->loop, advance, containers);
}

static void close_containers(struct scaling_driver *driver)
{
    struct containers *containers = (struct containers *)driver;
    loop_unpost(containers->loop, advance, containers);
    http_transfer_abort(containers->transfer);
    http_client_free(containers->http);
    finish(containers);
    free(containers);
}

static enum err open_containers(const struct scaling_options *options, struct loop *loop, struct scaling_driver **ret,
                                struct error *reterr)
{
    if (options->docker_template == NULL)
        return error_set(reterr, ERR_VALIDATION, "AUTO_SCALING_DOCKER_TEMPLATE",
                         "AUTO_SCALING_DRIVER=docker needs AUTO_SCALING_DOCKER_TEMPLATE: the name of a worker's "
                         "container that others are made like.");
    struct containers *containers = mem_alloc(sizeof *containers);
    *containers = (struct containers){.base = {&scaling_docker},
                                      .loop = loop,
                                      .options = options,
                                      .http = http_client_new(loop, &(struct http_client_options){0})};
    *ret = &containers->base;
    return ERR_OK;
}

const struct scaling_driver_ops scaling_docker = {.name = "docker",
                                                  .by_number = false,
                                                  .open = open_containers,
                                                  .apply = apply_containers,
                                                  .close = close_containers};
