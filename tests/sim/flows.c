/* Random flows: those of tests/support/flow_random.h, with times, signals, sub-flows and limits that suit a history. */
#include "sim.h"

#include "support/flow_random.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STARTS_MAX 80     /* of nodes, of one execution and all that it starts */
#define EXECUTIONS_MAX 10 /* that one starts */
#define LONG_MS 600000    /* a deadline that is not met in vain */
#define ITEM_MS 300000    /* more than any item takes, with all faults, that does not wait for ever */
#define TOOK_MAX_MS 350000

struct json *sim_input(unsigned number)
{
    return sim_value(1000 + number);
}

/* ---- what the nodes of a drawn flow are in this world */

static void dress_effect(struct sim *sim, struct json *node, struct json *config)
{
    static const enum sim_kind kinds[] = {KIND_EFFECT, KIND_EFFECT, KIND_BLOCKING, KIND_SLEEP, KIND_SLEEP};
    enum sim_kind kind = kinds[rng_below(&sim->rng, sizeof kinds / sizeof *kinds)];
    if (kind == KIND_BLOCKING)
        json_set_str(node, "type", "blocking");
    if (kind == KIND_SLEEP)
        json_set_str(node, "type", "sleep");
    if (kind == KIND_SLEEP)
        json_set_int(config, "waitMs", (int64_t)rng_below(&sim->rng, sim_chance(&sim->rng, 60) ? 2000 : 12000));
    else
        json_set_int(config, "takesMs", (int64_t)rng_below(&sim->rng, 600));
}

static const struct json *node_around(const struct sim_flow *flow, const struct json *node)
{
    const struct json *nodes = json_get(flow->definition, "nodes");
    const char *parent = json_get_str(node, "parentId");
    for (size_t i = 0; parent != NULL && i < json_count(nodes); i++)
        if (strcmp(json_get_str(json_at(nodes, i), "id"), parent) == 0)
            return json_at(nodes, i);
    return NULL;
}

/* Whether the time of its items may end it: it stands in an outermost for-each that runs them in place. */
static bool is_in_item(const struct sim_flow *flow, const struct json *node)
{
    const struct json *each = node_around(flow, node);
    return each != NULL && json_get_str(each, "parentId") == NULL && !json_has(json_get(each, "config"), "distribute");
}

static bool has_wait_in_item(const struct sim_flow *flow)
{
    const struct json *nodes = json_get(flow->definition, "nodes");
    for (size_t i = 0; i < json_count(nodes); i++)
        if (sim_kind_of(json_get_str(json_at(nodes, i), "type")) == KIND_SIGNAL && is_in_item(flow, json_at(nodes, i)))
            return true;
    return false;
}

/* The signal comes, early or late, or it never does; then the wait has a deadline, or its item has. */
static void dress_signal(struct sim *sim, struct sim_flow *flow, unsigned index, const struct json *node,
                         struct json *config)
{
    if (flow->timed && is_in_item(flow, node) && sim_chance(&sim->rng, 80))
        return;
    flow->signalled[index] = sim_chance(&sim->rng, 65);
    flow->approved[index] = flow->signalled[index] && sim_chance(&sim->rng, 35);
    flow->approvals |= flow->approved[index];
    if (!flow->signalled[index])
        json_set_int(config, "timeoutMs", 1 + (int64_t)rng_below(&sim->rng, 9000));
    else if (sim_chance(&sim->rng, 40))
        json_set_int(config, "timeoutMs", LONG_MS);
}

/* Flows start such that stand behind them. */
static const char *other_flow(struct sim *sim, const struct sim_flow *flow)
{
    unsigned index = (unsigned)(flow - sim->flows), behind = sim->flow_count - index - 1;
    return behind == 0 ? NULL : sim->flows[index + 1 + rng_below(&sim->rng, behind)].id;
}

static void dress_each(struct sim *sim, const struct sim_flow *flow, const struct json *node, struct json *config)
{
    if (flow->timed && json_get_str(node, "parentId") == NULL && !json_has(config, "distribute")) {
        json_set_int(config, "itemTimeoutMs", ITEM_MS);
        return;
    }
    const char *other = other_flow(sim, flow);
    uint64_t drawn = json_has(config, "distribute") ? 100 : rng_below(&sim->rng, 100);
    if (drawn < 25) {
        json_set_bool(config, "distribute", true);
    } else if (drawn < 45 && other != NULL) {
        json_set_str(config, "mode", "flow");
        json_set_str(config, "flow", other);
    }
}

static void dress_retry(struct sim *sim, struct json *config)
{
    if (!json_has(config, "retry"))
        return;
    struct json *retry = json_object_new();
    json_set_int(retry, "maxAttempts", 2 + (int64_t)rng_below(&sim->rng, 2));
    json_set_int(retry, "delayMs", (int64_t)rng_below(&sim->rng, sim_chance(&sim->rng, 30) ? 7000 : 500));
    json_set(config, "retry", retry);
}

static void dress(struct sim *sim, struct sim_flow *flow, struct json *node, unsigned index)
{
    struct json *config = json_get(node, "config"), *position = json_object_new();
    enum sim_kind kind = sim_kind_of(json_get_str(node, "type"));
    json_set_int(position, "x", 0);
    json_set_int(position, "y", 0);
    json_set(node, "position", position);
    json_set_str(node, "version", "1.0.0");
    dress_retry(sim, config);
    if (flow->bounded)
        json_set_int(config, "maxIterations", 1 + (int64_t)rng_below(&sim->rng, 4));
    if (kind == KIND_EFFECT)
        dress_effect(sim, node, config);
    else if (kind == KIND_SIGNAL)
        dress_signal(sim, flow, index, node, config);
    else if (kind == KIND_EACH)
        dress_each(sim, flow, node, config);
    else if (kind == KIND_CHILD)
        json_set_str(config, "flow", other_flow(sim, flow));
}

static void add_rate(struct sim *sim, struct sim_flow *flow, struct json *settings)
{
    if (!sim_chance(&sim->rng, 25))
        return;
    struct json *rate = json_object_new();
    flow->rate_limit = 1 + (int)rng_below(&sim->rng, 3);
    flow->rate_period_ms = 2000 + (int64_t)rng_below(&sim->rng, 4000);
    flow->rate_keyed = sim_chance(&sim->rng, 50);
    json_set_int(rate, "limit", flow->rate_limit);
    json_set_int(rate, "periodMs", flow->rate_period_ms);
    if (flow->rate_keyed)
        json_set_str(rate, "key", "{{ input.key }}");
    json_set(settings, "rateLimit", rate);
}

static struct json *make_settings(struct sim *sim, struct sim_flow *flow)
{
    struct json *settings = json_object_new();
    add_rate(sim, flow, settings);
    if (flow->timed) /* nor has it a limit, under which its own executions would wait for each other */
        return settings;
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

/* ---- one flow */

static bool has_kind(const struct json *definition, enum sim_kind kind)
{
    const struct json *nodes = json_get(definition, "nodes");
    for (size_t i = 0; i < json_count(nodes); i++)
        if (sim_kind_of(json_get_str(json_at(nodes, i), "type")) == kind)
            return true;
    return false;
}

static void draw(struct sim *sim, struct sim_flow *flow, unsigned size)
{
    char name[64];
    json_unref(flow->definition);
    flow_free(flow->flow);
    *flow = (struct sim_flow){.failing = sim_chance(&sim->rng, 50), .bounded = sim_chance(&sim->rng, 15)};
    id_format(sim->now, &sim->rng, flow->id);
    do {
        json_unref(flow->definition);
        flow->definition = flow_random_definition(&sim->rng, size);
    } while (other_flow(sim, flow) == NULL && has_kind(flow->definition, KIND_CHILD));
    flow->timed = sim->flow_count == 1 && has_wait_in_item(flow); /* others would wait for it too long */
    struct json *nodes = json_get(flow->definition, "nodes");
    for (unsigned i = 0; i < json_count(nodes); i++)
        dress(sim, flow, json_at(nodes, i), i);
    (void)snprintf(name, sizeof name, "flow %s", flow->id);
    json_set_str(flow->definition, "id", flow->id);
    json_set_str(flow->definition, "name", name);
    json_set(flow->definition, "settings", make_settings(sim, flow));
    json_set_int(flow->definition, "version", 1);
    json_set_str(flow->definition, "status", "active");
    json_set_str(flow->definition, "createdBy", "simulator");
}

/* Whether nothing becomes too large of it. */
static bool try_out(struct sim *sim, struct sim_flow *flow)
{
    struct error error;
    if (json_count(json_get(flow->definition, "nodes")) > SIM_NODES)
        return false;
    if (flow_compile(flow->id, 1, flow->definition, sim_catalog(), &flow->flow, NULL, &error) != ERR_OK) {
        sim_problem(sim, "a flow does not compile: %s", error.message);
        return true;
    }
    for (unsigned i = 0; i < 2 * (SIM_INPUTS + 1); i++) {
        AUTO_JSON struct json *input = i / 2 == SIM_INPUTS ? sim_schedule_input() : sim_input(i / 2);
        const struct sim_expected *expected = sim_expect(sim, (unsigned)(flow - sim->flows), NULL, i % 2 == 1, input);
        if (expected->starts > STARTS_MAX || expected->executions > EXECUTIONS_MAX || expected->took_ms > TOOK_MAX_MS)
            return false;
    }
    return true;
}

struct flow_write {
    const struct json *document;
    int64_t now_ms;
};

static enum err write_flow(struct store_session *session, void *arg, struct error *reterr)
{
    const struct flow_write *write = arg;
    return store_flow_insert(session, write->document, write->now_ms, reterr);
}

static void make(struct sim *sim, struct sim_flow *flow)
{
    struct error error;
    unsigned size = 5 + (unsigned)rng_below(&sim->rng, 10);
    do {
        draw(sim, flow, size);
        size -= size > 1;
    } while (!try_out(sim, flow));
    if (sim->tracing) {
        AUTO_FREE char *text = json_dup_text(flow->definition);
        (void)fprintf(stderr, "%s\n", text);
    }
    struct flow_write write = {.document = flow->definition, .now_ms = sim->now};
    if (sim->problem[0] == '\0' && store_write(sim->store, write_flow, &write, &error) != ERR_OK)
        sim_problem(sim, "the flow cannot be stored: %s (%s)", error.message, error.field);
}

void sim_flows_make(struct sim *sim)
{
    sim->flow_count = 1 + (unsigned)rng_below(&sim->rng, SIM_FLOWS);
    for (unsigned i = sim->flow_count; i-- > 0;)
        make(sim, &sim->flows[i]);
}

unsigned sim_flow_index(const struct sim *sim, const char *id)
{
    unsigned index = 0;
    while (index < sim->flow_count && strcmp(sim->flows[index].id, id) != 0)
        index++;
    return index;
}

bool sim_is_approved(const struct sim_flow *flow, const char *node_id)
{
    return flow->approved[strtoul(node_id + 1, NULL, 10) % SIM_NODES];
}

bool sim_is_signalled(const struct sim_flow *flow, const char *node_id)
{
    return flow->signalled[strtoul(node_id + 1, NULL, 10) % SIM_NODES];
}

void sim_flows_done(struct sim *sim)
{
    sim_expectations_forget(sim);
    for (unsigned i = 0; i < sim->flow_count; i++) {
        flow_free(sim->flows[i].flow);
        json_unref(sim->flows[i].definition);
    }
}
