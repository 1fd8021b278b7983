/* One flow on an engine of its own, over a store in memory. */
#include "cli/local_run.h"

#include "base/clock.h"
#include "base/loop.h"
#include "gateway/engine.h"
#include "orchestrator/submission.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define POLL_MS 10
#define DRAIN_MS 1000

struct local {
    struct store *store;
    struct broker *broker;
    struct engine *engine;
    struct loop *loop; /* never run: only publishing needs it */
    struct broker_connection *connection;
    const struct json *flow;
    struct store_execution row;
    struct json *loaded;
};

static enum err write_all(struct store_session *session, void *arg, struct error *reterr)
{
    struct local *local = arg;
    enum err code = store_flow_insert(session, local->flow, local->row.created_ms, reterr);
    return code == ERR_OK ? store_execution_insert(session, &local->row, reterr) : code;
}

static bool is_final(const struct json *execution)
{
    enum run_status status;
    const char *text = json_get_str(execution, "status");
    return text != NULL && run_status_parse(text, &status) == ERR_OK && run_status_is_final(status);
}

static enum err wait_for_end(struct local *local, struct error *reterr)
{
    for (;;) {
        struct store_session *session;
        enum err code = store_read_begin(local->store, &session, reterr);
        if (code != ERR_OK)
            return code;
        code = store_execution_load_detail(session, local->row.id, &local->loaded, reterr);
        store_read_end(local->store, session);
        if (code != ERR_OK || is_final(local->loaded))
            return code;
        json_unref(local->loaded);
        local->loaded = NULL;
        (void)nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
    }
}

static enum err open_all(struct local *local, const char *directory, struct error *reterr)
{
    enum err code = store_open("sqlite::memory:", NULL, &local->store, reterr);
    if (code == ERR_OK)
        code = broker_open("memory:", "", &local->broker, reterr);
    if (code != ERR_OK)
        return code;
    local->loop = loop_new();
    local->connection = broker_connect(local->broker, local->loop);
    return engine_start(&(struct engine_options){.store = local->store,
                                                 .broker = local->broker,
                                                 .capacity = 100,
                                                 .blocking_threads = 4,
                                                 .worker_timeout_ms = 60000,
                                                 .report_interval_ms = 5000,
                                                 .strategy = "round_robin",
                                                 .worker_id = "local",
                                                 .data_dir = directory},
                        &local->engine, reterr);
}

static void close_all(struct local *local)
{
    engine_stop(local->engine, DRAIN_MS);
    engine_free(local->engine);
    if (local->connection != NULL)
        broker_disconnect(local->connection);
    if (local->loop != NULL)
        loop_free(local->loop);
    if (local->store != NULL)
        store_close(local->store);
    if (local->broker != NULL)
        broker_close(local->broker);
}

enum err local_run(const struct json *definition, const struct json *input, const char *directory,
                   struct json **ret_execution, struct error *reterr)
{
    struct local local = {0};
    char flow_id[ID_TEXT_BYTES], id[ID_TEXT_BYTES];
    AUTO_JSON struct json *flow = json_dup(definition);
    AUTO_FREE char *input_json = input == NULL ? NULL : json_dup_text(input);
    id_new(flow_id);
    id_new(id);
    json_set_str(flow, "id", flow_id);
    local.flow = flow;
    local.row = (struct store_execution){.id = id,
                                         .flow_id = flow_id,
                                         .flow_version = 1,
                                         .trigger = "manual",
                                         .priority = 1,
                                         .input_json = input_json,
                                         .created_ms = clock_now_ms()};
    enum err code = open_all(&local, directory, reterr);
    if (code == ERR_OK)
        code = store_write(local.store, write_all, &local, reterr);
    if (code == ERR_OK) {
        submission_publish(local.connection, 1, &local.row);
        code = wait_for_end(&local, reterr);
    }
    close_all(&local);
    if (code == ERR_OK)
        *ret_execution = local.loaded;
    return code;
}
