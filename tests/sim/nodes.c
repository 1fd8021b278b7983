/* The simulator's node types: those of tests/support/flow_kit.h, and what each attempt of theirs comes to. */
#include "sim.h"

#include "base/mem.h"
#include "nodes/node_int.h"
#include "support/flow_kit.h"
#include "worker/worker_int.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- values: all that follows from them follows from their hash */

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t both[2] = {a, b};
    return hash_bytes(both, sizeof both) >> 12;
}

/* What differs from history to history, or with the order of things. */
static bool is_volatile(const char *key)
{
    static const char *const keys[] = {"v",    "index",     "deadline", "executionId", "message",       "execution",
                                       "node", "iteration", "code",     "scheduleId",  "scheduledTime", "backfillId"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

static uint64_t hash_members(const struct json *object)
{
    uint64_t sum = 17;
    struct json_iter member;
    JSON_EACH(object, member)
    if (!is_volatile(member.key))
        sum += mix(hash_str(member.key), sim_hash_value(member.value));
    return sum >> 8;
}

/* The order of a list does not count: a for-each may have shuffled its items. */
uint64_t sim_hash_value(const struct json *value)
{
    uint64_t sum = 11;
    switch (json_kind(value)) {
    case JSON_ARRAY:
        for (size_t i = 0; i < json_count(value); i++)
            sum += mix(1, sim_hash_value(json_at(value, i)));
        return sum >> 8;
    case JSON_OBJECT:
        return json_has(value, "h") ? mix(2, (uint64_t)json_get_int(value, "h", 0)) : hash_members(value);
    case JSON_STRING:
        return hash_str(json_as_str(value)) >> 12;
    case JSON_NULL:
        return 3;
    default:
        return mix(4, (uint64_t)json_as_int(value));
    }
}

struct json *sim_value(uint64_t hash)
{
    struct json *value = json_object_new();
    json_set_int(value, "h", (int64_t)hash);
    json_set_int(value, "key", (int64_t)(hash % 3));
    return value;
}

struct json *sim_payload(const char *node_id)
{
    return sim_value(hash_str(node_id) >> 12);
}

/* Passes, without the items around. */
static uint64_t hash_passes(const char *iteration)
{
    uint64_t hash = 5;
    for (const char *at = iteration, *end; *at != '\0'; at = *end == '\0' ? end : end + 1) {
        end = at + strcspn(at, ".");
        if (*end == '\0' || memchr(at, '-', (size_t)(end - at)) != NULL)
            hash = mix(hash, strtoul(at, NULL, 10));
    }
    return hash;
}

/* ---- what comes of an attempt */

static struct json *plan_of(uint64_t hash)
{
    struct json *outputs = json_object_new(), *items = json_array_new();
    for (uint64_t i = 0; i < hash % 4; i++)
        json_push(items, sim_value(mix(hash, 100 + i)));
    json_set(outputs, "items", items);
    json_set_int(outputs, "concurrency", 1 + (int64_t)(hash / 4 % 3));
    json_set_bool(outputs, "continueOnError", hash / 16 % 2 == 0);
    return outputs;
}

static struct json *make_value(const char *node_id, const char *iteration, uint64_t hash)
{
    struct json *value = sim_value(hash);
    json_set_str(value, "node", node_id);
    json_set_str(value, "iteration", iteration);
    return value;
}

static bool may_fail(enum sim_kind kind)
{
    return kind == KIND_PURE || kind == KIND_EFFECT || kind == KIND_BLOCKING || kind == KIND_SLEEP;
}

void sim_behave(const struct sim_flow *flow, bool mended, const char *node_id, const char *iteration, int attempt,
                enum sim_kind kind, const struct json *inputs, struct sim_outcome *ret)
{
    uint64_t hash = mix(hash_str(node_id), hash_passes(iteration));
    if (kind != KIND_MERGE)
        hash = mix(hash, hash_members(inputs));
    *ret = (struct sim_outcome){.hash = hash};
    bool retried = json_get_int(json_get(inputs, "retry"), "maxAttempts", 1) > 1;
    ret->for_good = flow->failing && !mended && may_fail(kind) && mix(hash, 77) % 10 == 0;
    ret->fails = ret->for_good || (retried && may_fail(kind) && attempt == 1 && mix(hash, 78) % 3 == 0);
    if (ret->fails || kind == KIND_CHILD || kind == KIND_SIGNAL)
        return;
    if (kind == KIND_EACH) {
        ret->outputs = plan_of(hash);
        if (json_has(inputs, "itemTimeoutMs")) { /* all at once: their times pass together */
            json_set_int(ret->outputs, "itemTimeoutMs", json_get_int(inputs, "itemTimeoutMs", 0));
            json_set_int(ret->outputs, "concurrency", 4);
        }
        return;
    }
    ret->outputs = json_object_new();
    struct json *value = make_value(node_id, iteration, hash);
    if (kind == KIND_END)
        json_set(ret->outputs, "body", json_ref(value));
    else if (kind == KIND_START || hash % 5 != 2)
        json_set(ret->outputs, "out", json_ref(value));
    if (kind != KIND_END && kind != KIND_START && (hash % 5 == 2 || hash % 5 == 3))
        json_set(ret->outputs, "other", json_ref(value));
    json_unref(value);
}

/* ---- the types */

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

static void behave(const struct node_call *call, struct sim_outcome *ret)
{
    const struct sim *sim = worker_of(call)->sim;
    const struct sim_execution *execution = sim_find(sim, call->execution_id);
    if (execution == NULL) { /* has been told as a problem */
        *ret = (struct sim_outcome){.fails = true};
        return;
    }
    sim_behave(&sim->flows[execution->flow], execution->mended, call->node_id, call->iteration, call->attempt,
               sim_kind_of(call->type->spec.type), call->inputs, ret);
}

static uint64_t begin(const struct node_call *call)
{
    struct sim_outcome outcome;
    behave(call, &outcome);
    json_unref(outcome.outputs);
    sim_on_node_start(worker_of(call), call, epoch_of(call), outcome.hash);
    return outcome.hash;
}

static void sign(struct json *value, const struct node_call *call)
{
    if (json_is(value, JSON_OBJECT))
        json_set_str(value, "execution", call->execution_id);
}

static enum err end(struct node_call *call, struct error *reterr)
{
    struct sim_outcome outcome;
    behave(call, &outcome);
    if (outcome.fails)
        return error_set(reterr, ERR_NODE_RETRY, NULL, "It was meant to fail.");
    struct json_iter pin;
    JSON_EACH(outcome.outputs, pin)
    {
        sign(pin.value, call);
        node_call_set(call, pin.key, json_ref(pin.value));
    }
    json_unref(outcome.outputs);
    call->records = 1;
    sim_on_node_done(worker_of(call), call, epoch_of(call), outcome.hash);
    return ERR_OK;
}

static enum err execute_inline(struct node_call *call, struct error *reterr)
{
    (void)begin(call);
    return end(call, reterr);
}

static enum err execute_sleep(struct node_call *call, struct error *reterr)
{
    (void)begin(call);
    int64_t wake_ms = call->now_ms + json_get_int(call->inputs, "waitMs", 0);
    enum err code = end(call, reterr);
    if (code != ERR_OK)
        return code;
    sim_on_node_wait(worker_of(call), call, wake_ms);
    node_call_wait(call, wake_ms);
    return ERR_OK;
}

static bool is_approval(const struct node_call *call)
{
    const struct sim *sim = worker_of(call)->sim;
    const struct sim_execution *execution = sim_find(sim, call->execution_id);
    return execution != NULL && sim_is_approved(&sim->flows[execution->flow], call->node_id);
}

static bool is_signalled(const struct node_call *call)
{
    const struct sim *sim = worker_of(call)->sim;
    const struct sim_execution *execution = sim_find(sim, call->execution_id);
    return execution != NULL && sim_is_signalled(&sim->flows[execution->flow], call->node_id);
}

/* What comes of these is known when others have spoken. */
static enum err execute_signal(struct node_call *call, struct error *reterr)
{
    (void)reterr;
    uint64_t hash = begin(call);
    int64_t timeout_ms = json_get_int(call->inputs, "timeoutMs", 0);
    struct json *waiting = json_object_new();
    json_set_str(waiting, "kind", "signal");
    if (is_approval(call)) { /* the same link each time that it begins: a person may have it already */
        AUTO_FREE char *token = mem_printf("%s:%s:%s", call->execution_id, call->node_id, call->iteration);
        json_set_str(waiting, "token", token);
    } else {
        json_set_str(waiting, "name", call->node_id);
    }
    if (timeout_ms > 0) {
        struct json *late = json_object_new();
        json_set_int(late, "deadline", call->now_ms + timeout_ms);
        node_call_set(call, "timeout", late);
    }
    worker_of(call)->sim->endless += timeout_ms == 0 && !is_signalled(call);
    sim_on_node_done(worker_of(call), call, epoch_of(call), hash);
    node_call_wait_for(call, waiting, timeout_ms > 0 ? call->now_ms + timeout_ms : RUN_WAKE_NEVER);
    return ERR_OK;
}

static enum err execute_child(struct node_call *call, struct error *reterr)
{
    uint64_t hash = begin(call);
    enum err code = node_sub_flow.execute(call, reterr);
    if (code == ERR_OK)
        sim_on_node_done(worker_of(call), call, epoch_of(call), hash);
    return code;
}

/* Items of changing expressions are in another order each time. */
static enum err execute_each(struct node_call *call, struct error *reterr)
{
    enum err code = execute_inline(call, reterr);
    const struct json *items = json_get(call->outputs, "items");
    size_t count = json_count(items);
    if (code != ERR_OK || count == 0 || !json_has(call->inputs, "v"))
        return code;
    struct json *shuffled = json_array_new();
    size_t from = (size_t)call->now_ms % count;
    for (size_t i = 0; i < count; i++)
        json_push(shuffled, json_ref(json_at(items, (from + i) % count)));
    json_set(call->outputs, "items", shuffled);
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
    struct error error = {0};
    effect_free(call);
    if (end(call, &error) == ERR_OK)
        node_call_done(call);
    else
        node_call_failed(call, &error);
}

static enum err execute_effect(struct node_call *call, struct error *reterr)
{
    (void)reterr;
    struct sim_worker *worker = worker_of(call);
    (void)begin(call);
    struct effect *effect = mem_alloc(sizeof *effect);
    *effect = (struct effect){.call = call};
    effect->timer = loop_timer_new(worker->sim->loops[worker->index], on_effect, effect);
    call->state = effect;
    loop_timer_set(effect->timer, json_get_int(call->inputs, "takesMs", 0) * worker->slowness);
    return ERR_OK;
}

/* Those of the kit's types that flow_random.c draws; some effects are of other kinds here. */
static const struct {
    const char *type, *of; /* of: whose pins it has */
    enum node_mode mode;
    enum err (*execute)(struct node_call *call, struct error *reterr);
    void (*abort)(struct node_call *call);
} kinds[] = {[KIND_START] = {"trigger", "trigger", NODE_INLINE, execute_inline, NULL},
             [KIND_PURE] = {"pure", "pure", NODE_INLINE, execute_inline, NULL},
             [KIND_EFFECT] = {"effect", "effect", NODE_ASYNC, execute_effect, effect_free},
             [KIND_BLOCKING] = {"blocking", "effect", NODE_BLOCKING, execute_inline, NULL},
             [KIND_SLEEP] = {"sleep", "effect", NODE_INLINE, execute_sleep, NULL},
             [KIND_SIGNAL] = {"wait", "wait", NODE_INLINE, execute_signal, NULL},
             [KIND_CHILD] = {"sub-flow", "sub-flow", NODE_BLOCKING, execute_child, NULL},
             [KIND_EACH] = {"each", "each", NODE_INLINE, execute_each, NULL},
             [KIND_MERGE] = {"merge", "merge", NODE_INLINE, execute_inline, NULL},
             [KIND_END] = {"respond", "respond", NODE_INLINE, execute_inline, NULL}};
#define KINDS (sizeof kinds / sizeof *kinds)

static struct node_type types[KINDS];

static void make_types(void)
{
    for (size_t i = 0; i < KINDS; i++) {
        struct flow_node_spec spec = *kit_catalog.find(&kit_catalog, kinds[i].of);
        spec.type = kinds[i].type;
        if (i == KIND_CHILD)
            spec.fields = node_sub_flow.spec.fields;
        types[i] = (struct node_type){.spec = spec,
                                      .name = spec.type,
                                      .version = "1.0.0",
                                      .mode = kinds[i].mode,
                                      .execute = kinds[i].execute,
                                      .abort = kinds[i].abort};
    }
}

const struct node_type *sim_find_type(const char *type)
{
    if (types[0].execute == NULL)
        make_types();
    for (size_t i = 0; i < KINDS; i++)
        if (strcmp(kinds[i].type, type) == 0)
            return &types[i];
    return NULL;
}

enum sim_kind sim_kind_of(const char *type)
{
    const struct node_type *found = sim_find_type(type);
    return found == NULL ? KIND_PURE : (enum sim_kind)(found - types);
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
