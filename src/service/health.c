/* Health and metrics of the services without an API: on PORT, METRICS_PORT and HEALTH_CHECK_PORT alike.
 * live: the process answers. ready: it can do its work. work: what it has moves. */
#include "service/service_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

#define STILL_MS 30000 /* work that has not moved for so long stands still */

struct health {
    const struct service_state *state;
    int64_t started_ms;
};

struct condition {
    bool ready, moving;
    struct json *work;
};

static bool store_answers(const struct service_state *s)
{
    struct store_session *session;
    struct error error;
    if (store_read_begin(s->store, &session, &error) != ERR_OK)
        return false;
    (void)store_executions_next_due_ms(session);
    store_read_end(s->store, session);
    return true;
}

static void look_at_orchestrator(const struct health *health, struct condition *condition)
{
    struct orchestrator_stats stats;
    int64_t now = clock_now_ms();
    orchestrator_stats(engine_orchestrator(health->state->engine), &stats);
    bool waiting = stats.workers > 0 && stats.pending + stats.in_flight > 0;
    condition->moving = !waiting || now - stats.last_progress_ms < STILL_MS || now - health->started_ms < STILL_MS;
    json_set_int(condition->work, "waiting", (int64_t)stats.pending);
    json_set_int(condition->work, "running", (int64_t)stats.in_flight);
    json_set_int(condition->work, "workers", (int64_t)stats.workers);
    json_set_int(condition->work, "shards", (int64_t)stats.shards);
}

static void look_at_worker(const struct health *health, struct condition *condition)
{
    struct worker_stats stats;
    int64_t now = clock_now_ms(), still = 3 * config_int(&health->state->config, CONFIG_HEALTH_REPORT_INTERVAL);
    worker_stats(engine_worker(health->state->engine), &stats);
    condition->moving = now - stats.moved_ms < (still > STILL_MS ? still : STILL_MS);
    condition->ready &= !stats.draining;
    json_set_int(condition->work, "running", stats.active);
    json_set_int(condition->work, "capacity", stats.capacity);
    json_set_bool(condition->work, "full", stats.full);
    json_set_bool(condition->work, "draining", stats.draining);
}

static struct condition look(const struct health *health, bool *ret_database, bool *ret_broker)
{
    struct condition condition = {.work = json_object_new()};
    *ret_database = store_answers(health->state);
    *ret_broker = broker_is_ready(health->state->broker);
    condition.ready = *ret_database && *ret_broker;
    if (health->state->config.service == SERVICE_ORCHESTRATOR)
        look_at_orchestrator(health, &condition);
    else
        look_at_worker(health, &condition);
    json_set_bool(condition.work, "moving", condition.moving);
    return condition;
}

static void reply_health(const struct health *health, struct http_request *request)
{
    bool database, broker;
    struct condition condition = look(health, &database, &broker);
    struct json *answer = json_object_new(), *dependencies = json_object_new();
    json_set_str(answer, "status", !condition.ready ? "unhealthy" : condition.moving ? "healthy" : "degraded");
    json_set_str(answer, "service", config_service_name(health->state->config.service));
    json_set_str(answer, "instance", health->state->instance);
    json_set_str(dependencies, "database", database ? "healthy" : "unhealthy");
    json_set_str(dependencies, "rabbitmq", broker ? "healthy" : "unhealthy");
    json_set(answer, "dependencies", dependencies);
    json_set(answer, "work", condition.work);
    json_set_int(answer, "uptime", clock_now_ms() - health->started_ms);
    json_set_str(answer, "version", CAUDAL_VERSION);
    http_reply_flat(request, 200, answer);
}

static void reply_live(const struct health *health, struct http_request *request)
{
    (void)health;
    struct json *answer = json_object_new();
    json_set_bool(answer, "alive", true);
    http_reply_flat(request, 200, answer);
}

static void reply_ready(const struct health *health, struct http_request *request)
{
    bool database, broker;
    struct condition condition = look(health, &database, &broker);
    struct json *answer = json_object_new();
    json_unref(condition.work);
    json_set_bool(answer, "ready", condition.ready);
    http_reply_flat(request, condition.ready ? 200 : 503, answer);
}

static void reply_work(const struct health *health, struct http_request *request)
{
    bool database, broker;
    struct condition condition = look(health, &database, &broker);
    http_reply_flat(request, condition.moving ? 200 : 503, condition.work);
}

static void reply_metrics(const struct health *health, struct http_request *request)
{
    request->response.content_type = METRICS_CONTENT_TYPE;
    metrics_print(health->state->metrics, &request->response.body);
}

static const struct page {
    const char *path;
    void (*reply)(const struct health *health, struct http_request *request);
} pages[] = {{"/health", reply_health},
             {"/health/live", reply_live},
             {"/health/ready", reply_ready},
             {"/health/work", reply_work},
             {"/metrics", reply_metrics}};

enum err health_admit(void *user, struct http_request *request, bool *ret_inline, struct error *reterr)
{
    (void)user;
    const char *path = strncmp(request->path, "/api/v1/health", 14) == 0 ? request->path + 7 : request->path;
    bool known = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
    if (!known)
        return error_set(reterr, ERR_METHOD_NOT_ALLOWED, NULL, "This port answers GET and HEAD.");
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        if (strcmp(path, pages[i].path) == 0) {
            request->route = &pages[i];
            *ret_inline = pages[i].reply == reply_live;
            return ERR_OK;
        }
    return error_set(reterr, ERR_NOT_FOUND, NULL,
                     "This port serves /health, /health/live, /health/ready, /health/work and /metrics.");
}

int health_handle(void *user, struct http_request *request)
{
    const struct page *page = request->route;
    page->reply(user, request);
    return HTTP_DONE;
}

struct health *health_new(struct service_state *state)
{
    struct health *health = mem_alloc(sizeof *health);
    *health = (struct health){.state = state, .started_ms = clock_now_ms()};
    return health;
}

void health_free(struct health *health)
{
    free(health);
}
