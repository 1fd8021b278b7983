/* The simulator's node types, and small random flows made of them. */
#include "sim.h"

#include "base/mem.h"
#include "worker/worker_int.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Nodes find their world through the host, and the epoch, which is none of a node's business, through the engine's
 * call. */
static struct sim_worker *worker_of(const struct node_call *call)
{
    return (struct sim_worker *)call->host;
}

static int epoch_of(const struct node_call *call)
{
    return ((const struct call *)call->engine)->active->epoch;
}

static void set_output(struct node_call *call)
{
    struct json *value = json_object_new();
    json_set_str(value, "node", call->node_id);
    json_set_str(value, "execution", call->execution_id);
    node_call_set(call, "output", value);
    call->records = 1;
}

/* Whether this attempt fails is a property of the execution, the node and the attempt: the same in every epoch. */
static bool shall_fail(const struct node_call *call)
{
    int64_t percent = json_get_int(call->inputs, "failPercent", 0);
    char text[ID_TEXT_BYTES_MAX + 16];
    (void)snprintf(text, sizeof text, "%s/%s/%d", call->execution_id, call->node_id, call->attempt);
    return (int64_t)(hash_str(text) % 100) < percent;
}

static enum err execute_inline(struct node_call *call, struct error *reterr)
{
    sim_on_node_start(worker_of(call), call, epoch_of(call));
    if (shall_fail(call))
        return error_set(reterr, ERR_NODE_RETRY, NULL, "It was meant to fail.");
    set_output(call);
    sim_on_node_done(worker_of(call), call, epoch_of(call));
    return ERR_OK;
}

static enum err execute_wait(struct node_call *call, struct error *reterr)
{
    (void)reterr;
    sim_on_node_start(worker_of(call), call, epoch_of(call));
    int64_t wake_ms = call->now_ms + json_get_int(call->inputs, "waitMs", 0);
    set_output(call);
    sim_on_node_wait(worker_of(call), call, wake_ms);
    node_call_wait(call, wake_ms);
    return ERR_OK;
}

struct effect {
    struct node_call *call;
    struct loop_timer *timer;
};

static void effect_free(struct node_call *call)
{
    struct effect *effect = call->state;
    loop_timer_free(effect->timer);
    free(effect);
    call->state = NULL;
}

static void on_effect(void *user)
{
    struct node_call *call = ((struct effect *)user)->call;
    effect_free(call);
    if (shall_fail(call)) {
        struct error error;
        (void)error_set(&error, ERR_NODE_RETRY, NULL, "It was meant to fail.");
        node_call_failed(call, &error);
        return;
    }
    set_output(call);
    sim_on_node_done(worker_of(call), call, epoch_of(call));
    node_call_done(call);
}

static enum err execute_effect(struct node_call *call, struct error *reterr)
{
    (void)reterr;
    struct sim_worker *worker = worker_of(call);
    sim_on_node_start(worker, call, epoch_of(call));
    struct effect *effect = mem_alloc(sizeof *effect);
    *effect = (struct effect){.call = call};
    effect->timer = loop_timer_new(worker->sim->loops[worker->index], on_effect, effect);
    call->state = effect;
    loop_timer_set(effect->timer, json_get_int(call->inputs, "takesMs", 0) * worker->slowness);
    return ERR_OK;
}

static const struct flow_pin outputs[] = {{.name = "output", .type = "any"}, {0}};
static const struct field fields[] = {{0}};

#define TYPE(text, is_pure, run_mode, function, stop)                                                                  \
    {                                                                                                                  \
        .spec = {.type = text, .outputs = outputs, .fields = fields, .any_input = true, .pure = is_pure},              \
        .name = text, .version = "1.0.0", .mode = run_mode, .execute = function, .abort = stop                         \
    }
static const struct node_type types[] = {
    [KIND_START] = {.spec = {.type = "sim-start",
                             .outputs = outputs,
                             .fields = fields,
                             .any_input = true,
                             .pure = true,
                             .trigger = "manual"},
                    .name = "sim-start",
                    .version = "1.0.0",
                    .mode = NODE_INLINE,
                    .execute = execute_inline},
    [KIND_PURE] = TYPE("sim-pure", true, NODE_INLINE, execute_inline, NULL),
    [KIND_EFFECT] = TYPE("sim-effect", false, NODE_ASYNC, execute_effect, effect_free),
    [KIND_BLOCKING] = TYPE("sim-blocking", false, NODE_BLOCKING, execute_inline, NULL),
    [KIND_FLAKY] = TYPE("sim-flaky", false, NODE_ASYNC, execute_effect, effect_free),
    [KIND_WAIT] = TYPE("sim-wait", false, NODE_INLINE, execute_wait, NULL),
};

const struct node_type *sim_find_type(const char *type)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].spec.type, type) == 0)
            return &types[i];
    return NULL;
}

static const struct flow_node_spec *find_spec(const struct flow_catalog *catalog, const char *type)
{
    (void)catalog;
    const struct node_type *found = sim_find_type(type);
    return found == NULL ? NULL : &found->spec;
}

const struct flow_catalog *sim_catalog(void)
{
    static const struct flow_catalog catalog = {.find = find_spec};
    return &catalog;
}

/* ---- flows */

static struct json *make_config(struct sim *sim, struct sim_flow *flow, unsigned index)
{
    struct json *config = json_object_new(), *retry;
    flow->attempts[index] = 1;
    switch (flow->kinds[index]) {
    case KIND_WAIT:
        json_set_int(config, "waitMs", (int64_t)rng_below(&sim->rng, sim_chance(&sim->rng, 50) ? 4000 : 20000));
        break;
    case KIND_EFFECT:
        json_set_int(config, "takesMs", (int64_t)rng_below(&sim->rng, 800));
        break;
    case KIND_FLAKY:
        flow->attempts[index] = 2 + (int)rng_below(&sim->rng, 4);
        retry = json_object_new();
        json_set_int(retry, "maxAttempts", flow->attempts[index]);
        json_set_int(retry, "delayMs", (int64_t)rng_below(&sim->rng, sim_chance(&sim->rng, 30) ? 7000 : 500));
        json_set(config, "retry", retry);
        json_set_int(config, "failPercent", 40);
        json_set_int(config, "takesMs", (int64_t)rng_below(&sim->rng, 300));
        json_set_bool(config, "critical", sim_chance(&sim->rng, 50));
        break;
    default:
        break;
    }
    return config;
}

static struct json *make_node(struct sim *sim, struct sim_flow *flow, unsigned index)
{
    static const enum sim_kind kinds[] = {KIND_PURE,  KIND_EFFECT, KIND_EFFECT, KIND_BLOCKING,
                                          KIND_FLAKY, KIND_FLAKY,  KIND_WAIT,   KIND_WAIT};
    flow->kinds[index] = index == 0 ? KIND_START : kinds[rng_below(&sim->rng, sizeof kinds / sizeof *kinds)];
    char id[8];
    (void)snprintf(id, sizeof id, "n%u", index);
    struct json *node = json_object_new(), *position = json_object_new();
    json_set_str(node, "id", id);
    json_set_str(node, "type", types[flow->kinds[index]].spec.type);
    json_set_str(node, "version", "1.0.0");
    json_set(node, "config", make_config(sim, flow, index));
    json_set_int(position, "x", 0);
    json_set_int(position, "y", 0);
    json_set(node, "position", position);
    return node;
}

static void connect(struct json *connections, struct sim_flow *flow, unsigned from, unsigned to)
{
    char source[8], target[8], pin[24];
    if (flow->from[to][from])
        return;
    flow->from[to][from] = true;
    (void)snprintf(source, sizeof source, "n%u", from);
    (void)snprintf(target, sizeof target, "n%u", to);
    (void)snprintf(pin, sizeof pin, "from_n%u", from);
    struct json *connection = json_object_new();
    json_set_str(connection, "fromNodeId", source);
    json_set_str(connection, "fromOutput", "output");
    json_set_str(connection, "toNodeId", target);
    json_set_str(connection, "toInput", pin);
    json_push(connections, connection);
}

struct flow_write {
    struct json *document;
    int64_t now_ms;
};

static enum err write_flow(struct store_session *session, void *arg, struct error *reterr)
{
    struct flow_write *write = arg;
    return store_flow_insert(session, write->document, write->now_ms, reterr);
}

static struct json *make_settings(struct sim *sim, struct sim_flow *flow)
{
    struct json *settings = json_object_new();
    if (sim_chance(&sim->rng, 30)) {
        flow->concurrency = 1 + (int)rng_below(&sim->rng, 3);
        json_set_int(settings, "concurrency", flow->concurrency);
    }
    if (sim_chance(&sim->rng, 30)) {
        flow->per_key = 1;
        json_set_str(settings, "concurrencyKey", "{{ input.key }}");
    }
    return settings;
}

void sim_flow_make(struct sim *sim, struct sim_flow *flow)
{
    id_format(sim->now, &sim->rng, flow->id);
    flow->count = 2 + (unsigned)rng_below(&sim->rng, SIM_NODES - 1);
    struct json *document = json_object_new(), *nodes = json_array_new(), *connections = json_array_new();
    for (unsigned i = 0; i < flow->count; i++)
        json_push(nodes, make_node(sim, flow, i));
    for (unsigned i = 1; i < flow->count; i++) {
        connect(connections, flow, (unsigned)rng_below(&sim->rng, i), i);
        if (sim_chance(&sim->rng, 40))
            connect(connections, flow, (unsigned)rng_below(&sim->rng, i), i);
    }
    char name[64];
    (void)snprintf(name, sizeof name, "flow %s", flow->id);
    json_set_str(document, "id", flow->id);
    json_set_str(document, "name", name);
    json_set(document, "nodes", nodes);
    json_set(document, "connections", connections);
    json_set(document, "settings", make_settings(sim, flow));
    json_set_int(document, "version", 1);
    json_set_str(document, "status", "active");
    json_set_str(document, "createdBy", "simulator");
    struct flow_write write = {.document = document, .now_ms = sim->now};
    struct error error;
    if (store_write(sim->store, write_flow, &write, &error) != ERR_OK)
        sim_problem(sim, "the flow cannot be stored: %s (%s)", error.message, error.field);
    json_unref(document);
}
