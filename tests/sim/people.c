/* Who uses the gateway: starts executions, sends signals, cancels, pauses, resumes, and retries what failed. As the
 * gateway does it (src/gateway/executions.c, waits.c): the store first, then whoever runs it is told. */
#include "sim.h"

#include "base/mem.h"
#include "broker/messages.h"
#include "orchestrator/submission.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS 3000      /* between two looks for waits that nobody foresaw */
#define SEND_AGAIN_MS 300 /* when the store did not take a signal */
#define RETRIES_MAX 4     /* of one history */

struct sim_sending {
    struct sim_sending *next;
    struct sim_execution *execution;
    char node[16], iteration[RUN_ITERATION_BYTES_MAX], key[120];
    char token[RUN_ITERATION_BYTES_MAX + 80]; /* of an approval that is answered; "": a signal */
    int64_t at;
};

static void tell(struct sim *sim, const char *verb, const char *id)
{
    AUTO_FREE char *body = mem_printf("{\"%s\":\"%s\"}", verb, id);
    broker_broadcast(sim->gateway, TOPIC_CONTROL, body, strlen(body));
}

/* ---- starting */

struct sim_execution *sim_execution_new(struct sim *sim, const char *id, unsigned flow)
{
    struct sim_execution *execution = mem_alloc(sizeof *execution);
    execution->sim = sim;
    execution->final = -1;
    execution->flow = flow;
    (void)snprintf(execution->id, sizeof execution->id, "%s", id);
    map_init(&execution->places);
    map_init(&execution->done);
    map_init(&execution->pairs);
    if (sim->last_execution == NULL)
        sim->last_execution = &sim->executions;
    *sim->last_execution = execution;
    sim->last_execution = &execution->next;
    (void)map_put(&sim->by_id, execution->id, execution);
    sim->execution_count++;
    return execution;
}

static enum err write_row(struct store_session *session, void *arg, struct error *reterr)
{
    const struct sim_execution *execution = arg;
    if (execution->sim->plant == SIM_PLANT_FORGET_ACCEPTED && execution == execution->sim->executions)
        return ERR_OK;
    return store_execution_insert(session, &execution->row, reterr);
}

static void on_row_written(void *user, enum err code, const struct error *error)
{
    struct sim_execution *execution = user;
    struct sim *sim = execution->sim;
    sim_trace(sim, "submitted %s: %s", execution->id, error_id(code));
    execution->uncertain = code == ERR_STORE_UNKNOWN;
    execution->accepted = code == ERR_OK;
    if (code == ERR_OK && (!execution->waits || sim->plant == SIM_PLANT_IGNORE_LIMITS))
        submission_publish(sim->gateway, sim->shards, &execution->row);
    else if (code == ERR_CONFLICT || code == ERR_NOT_FOUND)
        sim_problem(sim, "the row of execution %s is refused: %s", execution->id, error->message);
}

static struct sim_execution *start(struct sim *sim, unsigned flow, const struct json *input, bool mended)
{
    char id[ID_TEXT_BYTES];
    int64_t wall = sim_wall(sim, LOOP_GATEWAY);
    id_format(wall, &sim->rng, id);
    struct sim_execution *execution = sim_execution_new(sim, id, flow);
    execution->input = json_dup_text(input);
    execution->key = (int)json_get_int(input, "key", -1);
    execution->mended = mended;
    execution->expected = sim_expect(sim, flow, NULL, mended, input);
    execution->row = (struct store_execution){.id = execution->id,
                                              .flow_id = sim->flows[flow].id,
                                              .flow_version = 1,
                                              .trigger = "manual",
                                              .priority = (int)rng_below(&sim->rng, 3),
                                              .input_json = execution->input,
                                              .ret_waits = &execution->waits,
                                              .created_ms = wall};
    return execution;
}

void sim_submit(struct sim *sim)
{
    AUTO_JSON struct json *input = sim_input((unsigned)rng_below(&sim->rng, SIM_INPUTS));
    struct sim_execution *execution = start(sim, (unsigned)rng_below(&sim->rng, sim->flow_count), input, false);
    store_write_async(sim->store, write_row, execution, on_row_written, execution);
    sim_signals_plan(execution);
    sim->submitted++;
    sim->next_submit = sim->submitted == sim->wanted ? INT64_MAX : sim->now + (int64_t)rng_below(&sim->rng, 1500);
}

/* ---- signals */

static void send_at(struct sim *sim, struct sim_sending sending)
{
    struct sim_sending *added = mem_alloc(sizeof *added);
    *added = sending;
    added->next = sim->sendings;
    sim->sendings = added;
}

/* Each wait that is foreseen gets its signal, before it begins or after, some twice. Which item of a for-each comes to
 * a wait is not foreseen when they are shuffled: any of them takes it. */
void sim_signals_plan(struct sim_execution *execution)
{
    struct sim *sim = execution->sim;
    unsigned number = 0;
    for (const struct sim_wait *wait = execution->expected->waits; wait != NULL; wait = wait->next) {
        if (sim_is_approved(&sim->flows[execution->flow], wait->node)) /* who answers has to be asked */
            continue;
        struct sim_sending sending = {.execution = execution};
        bool inside = strchr(wait->iteration, '.') != NULL;
        (void)snprintf(sending.node, sizeof sending.node, "%s", wait->node);
        (void)snprintf(sending.iteration, sizeof sending.iteration, "%s", inside ? "" : wait->iteration);
        (void)snprintf(sending.key, sizeof sending.key, "s%u", number++);
        for (int times = sim_chance(&sim->rng, 25) ? 2 : 1; times > 0; times--) {
            sending.at = sim->now + (int64_t)rng_below(&sim->rng, sim_chance(&sim->rng, 40) ? 800 : 12000);
            send_at(sim, sending);
        }
    }
}

static const struct sim_sending *next_sending(const struct sim *sim)
{
    const struct sim_sending *next = sim->sendings;
    for (const struct sim_sending *s = sim->sendings; s != NULL; s = s->next)
        next = s->at < next->at ? s : next;
    return next;
}

int64_t sim_signals_due(const struct sim *sim)
{
    const struct sim_sending *next = next_sending(sim);
    return next == NULL || sim->next_look < next->at ? sim->next_look : next->at;
}

struct signal_write {
    struct store_signal signal;
    struct store_receipt receipt;
};

static enum err write_signal(struct store_session *session, void *arg, struct error *reterr)
{
    struct signal_write *write = arg;
    return store_signal_insert(session, &write->signal, &write->receipt, reterr);
}

struct answer_write {
    const char *token, *answer;
    int64_t now_ms;
};

static enum err write_answer(struct store_session *session, void *arg, struct error *reterr)
{
    const struct answer_write *write = arg;
    return store_wait_answer(session, write->token, write->answer, write->now_ms, reterr);
}

/* Of all who answer one is the first. */
static enum err answer(struct sim *sim, const struct sim_sending *sending)
{
    AUTO_JSON struct json *payload = sim_payload(sending->node);
    AUTO_FREE char *text = json_dup_text(payload);
    struct answer_write write = {.token = sending->token, .answer = text, .now_ms = sim_wall(sim, LOOP_GATEWAY)};
    struct error error;
    enum err code = store_write(sim->store, write_answer, &write, &error);
    sim_trace(sim, "answer to %s: %s", sending->token + 24, error_id(code));
    if (code != ERR_OK)
        return code;
    struct sim_place *place = sim_place(sending->execution, sending->node, sending->iteration);
    if (place->answered)
        sim_problem(sim, "the approval %s of %s was answered twice", place->name, sending->execution->id);
    place->answered = true;
    sim->answers++;
    tell(sim, "signals", sending->execution->id);
    return ERR_OK;
}

static enum err send_signal(struct sim *sim, const struct sim_sending *sending)
{
    const char *id = sending->execution->id;
    AUTO_JSON struct json *payload = sim_payload(sending->node);
    AUTO_FREE char *text = json_dup_text(payload);
    struct signal_write write = {.signal = {.execution_id = id,
                                            .name = sending->node,
                                            .node_id = sending->node,
                                            .iteration = sending->iteration[0] == '\0' ? NULL : sending->iteration,
                                            .payload_json = text,
                                            .key = sending->key,
                                            .at_ms = sim_wall(sim, LOOP_GATEWAY)}};
    struct error error;
    enum err code = store_write(sim->store, write_signal, &write, &error);
    sim_trace(sim, "signal %s of %s@%s to %s: %s%s%s", sending->key, sending->node, sending->iteration, id + 24,
              error_id(code), write.receipt.repeated ? ", again" : "", write.receipt.awaited ? ", awaited" : "");
    if (code == ERR_OK) {
        sim->signals++;
        tell(sim, "signals", id);
    }
    return code;
}

/* Whoever gets no answer sends it again: a signal under the same key. */
static void send(struct sim *sim, struct sim_sending *take_sending)
{
    enum err code = take_sending->token[0] != '\0' ? answer(sim, take_sending) : send_signal(sim, take_sending);
    if (error_is_retryable(code) || (code == ERR_NOT_FOUND && !sim->quiet)) {
        take_sending->at = sim->now + SEND_AGAIN_MS;
        take_sending->next = sim->sendings;
        sim->sendings = take_sending;
        return;
    }
    free(take_sending);
}

/* What a retry, or what comes of a child that a person cancelled, will wait for is not foreseen. */
static bool is_unforeseen(const struct sim_execution *execution)
{
    return execution->final < 0 && execution->epoch > 0 && (execution->retries != NULL || execution->disturbed);
}

static struct json *load_detail(struct sim *sim, const char *id)
{
    struct store_session *session;
    struct json *detail = NULL;
    struct error error;
    if (store_read_begin(sim->store, &session, &error) != ERR_OK)
        return NULL;
    if (store_execution_load_detail(session, id, &detail, &error) != ERR_OK)
        detail = NULL;
    store_read_end(sim->store, session);
    return detail;
}

/* Some answer twice. */
static void plan_answer(struct sim *sim, struct sim_sending sending, const char *token)
{
    struct sim_place *place = sim_place(sending.execution, sending.node, sending.iteration);
    int times = place->asked ? 0 : sim_chance(&sim->rng, 25) ? 2 : 1;
    place->asked = true;
    (void)snprintf(sending.token, sizeof sending.token, "%s", token);
    for (; times > 0; times--) {
        sending.at = sim->now + (int64_t)rng_below(&sim->rng, 8000);
        send_at(sim, sending);
    }
}

static void answer_waits(struct sim *sim, struct sim_execution *execution)
{
    AUTO_JSON struct json *detail = load_detail(sim, execution->id);
    const struct json *waits = json_get(detail, "waits");
    for (size_t i = 0; i < json_count(waits); i++) {
        const struct json *wait = json_at(waits, i);
        const char *node = json_get_str(wait, "nodeId"), *kind = json_get_str(wait, "kind");
        struct sim_sending sending = {.execution = execution, .at = sim->now};
        (void)snprintf(sending.node, sizeof sending.node, "%s", node);
        (void)snprintf(sending.iteration, sizeof sending.iteration, "%s", json_get_str(wait, "iteration"));
        (void)snprintf(sending.key, sizeof sending.key, "look:%s@%s", sending.node, sending.iteration);
        if (strcmp(kind, "approval") == 0)
            plan_answer(sim, sending, json_get_str(wait, "token"));
        else if (strcmp(kind, "signal") == 0 && is_unforeseen(execution) &&
                 sim_is_signalled(&sim->flows[execution->flow], node))
            send_at(sim, sending);
    }
}

static void look(struct sim *sim)
{
    sim->next_look = sim->now + LOOK_MS;
    for (struct sim_execution *e = sim->executions; e != NULL; e = e->next)
        if (is_unforeseen(e) || (e->final < 0 && e->epoch > 0 && sim->flows[e->flow].approvals))
            answer_waits(sim, e);
}

void sim_signals_step(struct sim *sim)
{
    if (sim->next_look <= sim->now) {
        look(sim);
        return;
    }
    const struct sim_sending *next = next_sending(sim);
    for (struct sim_sending **place = &sim->sendings; *place != NULL; place = &(*place)->next)
        if (*place == next) {
            struct sim_sending *sending = *place;
            *place = sending->next;
            send(sim, sending);
            return;
        }
}

/* ---- orders */

struct order {
    struct sim_execution *execution;
    enum err (*write)(struct store_session *s, const char *id, int64_t now_ms, struct error *reterr);
    int64_t now_ms;
    struct json *ids; /* of all that were cancelled; write NULL */
};

static enum err write_order(struct store_session *session, void *arg, struct error *reterr)
{
    struct order *order = arg;
    struct sim *sim = order->execution->sim;
    json_unref(order->ids);
    order->ids = NULL;
    if (order->write != NULL)
        return order->write(session, order->execution->id, order->now_ms, reterr);
    sim->speaking = true;
    enum err code = store_execution_cancel_all(session, order->execution->id, order->now_ms, &order->ids, reterr);
    sim->speaking = false;
    return code;
}

static bool stands_at(struct sim *sim, const char *id, const char *status)
{
    AUTO_JSON struct json *detail = load_detail(sim, id);
    const char *stands = json_get_str(detail, "status");
    return stands != NULL && strcmp(stands, status) == 0;
}

static void give(struct sim *sim, struct sim_execution *execution, const char *verb, const char *status,
                 enum err (*write)(struct store_session *s, const char *id, int64_t now_ms, struct error *reterr))
{
    struct order order = {.execution = execution, .write = write, .now_ms = sim_wall(sim, LOOP_GATEWAY)};
    struct error error;
    enum err code = store_write(sim->store, write_order, &order, &error);
    sim_trace(sim, "a person says %s %s: %s", verb, execution->id, error_id(code));
    if (code == ERR_STORE_UNKNOWN && stands_at(sim, execution->id, status))
        code = ERR_OK;
    AUTO_JSON struct json *ids = order.ids;
    if (code != ERR_OK || (sim->plant == SIM_PLANT_IGNORE_CANCEL && write == NULL))
        return;
    tell(sim, verb, execution->id);
    for (size_t i = 1; i < json_count(ids); i++)
        tell(sim, "cancel", json_as_str(json_at(ids, i)));
    if (write == NULL && execution->parent != NULL)
        tell(sim, "signals", execution->parent->id);
}

void sim_person_resumes(struct sim *sim)
{
    for (struct sim_execution *e = sim->executions; e != NULL; e = e->next)
        if (e->paused_at > 0 && e->final < 0)
            give(sim, e, "resume", "pending", store_execution_resume);
}

/* As api_retry of the gateway does it. */
static void retry(struct sim *sim, struct sim_execution *failed)
{
    AUTO_JSON struct json *detail = load_detail(sim, failed->id);
    if (sim->retries >= RETRIES_MAX || detail == NULL)
        return;
    AUTO_JSON struct json *known = flow_run_known(json_get(detail, "nodeExecutions"));
    failed->retried = true;
    sim->retries++;
    struct sim_execution *again = start(sim, failed->flow, json_get(detail, "input"), true);
    again->retries = failed;
    again->restore = json_dup_text(known);
    again->row.restore_json = sim->plant == SIM_PLANT_DROP_RESTORE ? NULL : again->restore;
    again->row.retry_count = 1;
    for (size_t i = 0; i < json_count(known); i++) {
        const struct json *entry = json_at(known, i);
        if (strcmp(json_get_str(entry, "state"), node_state_name(NODE_SUCCEEDED)) == 0)
            sim_place(again, json_get_str(entry, "nodeId"), json_get_str(entry, "iteration"))->never = true;
    }
    sim_trace(sim, "a person retries %s as %s", failed->id, again->id);
    store_write_async(sim->store, write_row, again, on_row_written, again);
}

static bool can_be_told(const struct sim_execution *e)
{
    return e->epoch > 0 && (e->final < 0 || (e->final == RUN_FAILED && e->parent == NULL && !e->retried));
}

void sim_person_acts(struct sim *sim)
{
    struct sim_execution *execution = NULL;
    uint64_t count = 0, kind = rng_below(&sim->fault_rng, 10);
    for (struct sim_execution *e = sim->executions; e != NULL; e = e->next)
        if (can_be_told(e) && rng_below(&sim->fault_rng, ++count) == 0)
            execution = e;
    if (execution == NULL)
        return;
    if (execution->final == RUN_FAILED) {
        retry(sim, execution);
    } else if (kind < 2) {
        sim->cancels++;
        give(sim, execution, "cancel", "cancelled", NULL);
    } else if (kind < 6) {
        sim->pauses++;
        give(sim, execution, "pause", "paused", store_execution_pause);
    } else {
        give(sim, execution, "resume", "pending", store_execution_resume);
    }
}

static void execution_free(struct sim_execution *execution)
{
    while (execution->first_place != NULL) {
        struct sim_place *place = execution->first_place;
        execution->first_place = place->next;
        free((char *)place->name);
        free(place);
    }
    map_done(&execution->places);
    map_done(&execution->done);
    map_done(&execution->pairs);
    free(execution->body);
    free(execution->input);
    free(execution->parent_place);
    free(execution->restore);
    free(execution);
}

void sim_people_done(struct sim *sim)
{
    while (sim->sendings != NULL) {
        struct sim_sending *sending = sim->sendings;
        sim->sendings = sending->next;
        free(sending);
    }
    while (sim->executions != NULL) {
        struct sim_execution *execution = sim->executions;
        sim->executions = execution->next;
        execution_free(execution);
    }
    map_done(&sim->by_id);
}
