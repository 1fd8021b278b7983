/* Expressions of a node are evaluated before each of its attempts: names are looked up, scripts run. */
#include "worker/worker_int.h"

#include "base/limits.h"
#include "script/script.h"
#include <string.h>

/* All expressions have their values. */
static void take_values(struct call *call)
{
    json_unref(call->own_inputs);
    call->own_inputs = expression_job_take_inputs(call->job);
    call->node_call.inputs = call->own_inputs;
    expression_job_free(call->job);
    call->job = NULL;
}

static void on_script(void *user, const struct script_answer *answer)
{
    struct call *call = user;
    struct node_call *node_call = &call->node_call;
    enum err code = answer->error.code;
    call->script = NULL;
    for (size_t i = 0; i < json_count(answer->logs); i++)
        node_call_log(node_call, json_as_str(json_at(json_at(answer->logs, i), 0)), "%s",
                      json_as_str(json_at(json_at(answer->logs, i), 1)));
    if (code != ERR_OK)
        code = expression_job_fail(call->job, &answer->error, &node_call->error);
    else
        code = expression_job_answer(call->job, answer->result, &node_call->error);
    if (code != ERR_OK) {
        call_finish(call, code);
        return;
    }
    take_values(call);
    call_execute(call);
}

static enum err ask_script(struct call *call, struct error *reterr)
{
    const struct node_host *host = call->worker->options.host;
    if (host == NULL || host->script == NULL)
        return error_set(reterr, ERR_UNSUPPORTED, NULL, "This worker does not run JavaScript.");
    AUTO_BUF struct buf program, data;
    buf_init(&program, 0);
    buf_init(&data, 0);
    expression_job_program(call->job, &program);
    expression_job_data(call->job, &call->names.source, &data);
    call->script = script_pool_start(host->script,
                                     &(struct script_request){.kind = SCRIPT_EXPRESSIONS,
                                                              .realm = call->realm,
                                                              .program = program.data,
                                                              .program_bytes = program.len,
                                                              .data = data.data,
                                                              .data_bytes = data.len,
                                                              .timeout_ms = call->node_call.timeout_ms},
                                     on_script, call);
    return ERR_OK;
}

static const struct flow_node *node_of(const struct call *call)
{
    return &flow_run_flow(call->active->run)->nodes[call->node];
}

/* Every name has its value. */
static void evaluate(struct call *call)
{
    struct error *error = &call->node_call.error;
    const struct expressions *expressions = node_of(call)->expressions;
    enum err code = ERR_OK;
    if (expressions != NULL) {
        call->job = expression_job_new(expressions, call->node_call.inputs, &call->names.source, error);
        if (call->job == NULL)
            code = error->code;
        else if (expression_job_needs_script(call->job))
            code = ask_script(call, error);
        else
            take_values(call);
    }
    if (code != ERR_OK)
        call_finish(call, code);
    else if (call->script == NULL)
        call_execute(call);
}

static bool lacks_something(const struct call *call, const struct resolver_answer *answer)
{
    struct json_iter name;
    if (call->needs_variables && answer->variables == NULL)
        return true;
    JSON_EACH(call->asked, name)
    {
        if (!json_has(answer->secrets, name.key))
            return true;
    }
    return false;
}

/* The mask learns all secrets of the flow, so that it hides them also where they come from elsewhere: from before a
 * restart, or out of a database. */
static void learn(struct active *active, const struct resolver_answer *answer)
{
    struct json_iter secret;
    JSON_EACH(answer->secrets, secret)
    mask_add_secret(&active->mask, json_as_str(secret.value), json_as_str_len(secret.value));
    active->learned |= answer->error.code == ERR_OK;
}

static void on_resolved(void *user, const struct resolver_answer *answer)
{
    struct call *call = user;
    call->resolving = NULL;
    learn(call->active, answer);
    if (answer->error.code != ERR_OK && lacks_something(call, answer)) {
        call->node_call.error = answer->error;
        call_finish(call, answer->error.code);
        return;
    }
    call->names.variables = json_ref(answer->variables);
    call->names.secrets = json_ref(answer->secrets);
    evaluate(call);
}

/* What the node's own code refers to. */
static void add_needs_of_code(const struct call *call, struct expression_needs *needs)
{
    for (const struct field *field = call->node_call.type->spec.fields; field != NULL && field->name != NULL; field++) {
        const struct json *text = json_get(call->node_call.inputs, field->name);
        if (field->code && json_is(text, JSON_STRING))
            expression_needs_add(needs, json_as_str(text), json_as_str_len(text));
    }
}

static void add_members(struct json *to, const struct json *names)
{
    struct json_iter name;
    JSON_EACH(names, name) json_set_bool(to, name.key, true);
}

/* What the node refers to. Secrets are those that the flow itself names: code that came over a connection gets no
 * others.
 */
static void find_needs(struct call *call, const struct json *named)
{
    const struct expression_needs *needs = expressions_needs(node_of(call)->expressions);
    struct expression_needs code = {0};
    add_needs_of_code(call, &code);
    call->needs_variables = needs->used[NAME_VARIABLES] || code.used[NAME_VARIABLES];
    if (named != NULL && (needs->used[NAME_SECRETS] || code.used[NAME_SECRETS])) {
        call->asked = json_object_new();
        add_members(call->asked, needs->members[NAME_SECRETS]);
        add_members(call->asked, code.members[NAME_SECRETS]);
    }
    expression_needs_done(&code);
}

void call_prepare(struct call *call)
{
    const struct resolver *resolver = call->worker->options.resolver;
    const struct json *named = flow_run_flow(call->active->run)->secret_names;
    find_needs(call, named);
    if (call->asked != NULL && json_count(named) > LIMIT_FLOW_SECRETS) {
        call_finish(call,
                    error_set(&call->node_call.error, ERR_LIMIT, NULL, "The flow refers to %zu secrets, it may use %d.",
                              json_count(named), LIMIT_FLOW_SECRETS));
        return;
    }
    bool secrets = call->asked != NULL || (named != NULL && !call->active->learned);
    if (resolver == NULL || (!call->needs_variables && !secrets)) {
        evaluate(call);
        return;
    }
    const struct resolver_request request = {
        .flow_id = call->flow_id, .variables = call->needs_variables, .secrets = secrets ? named : NULL};
    void *started = resolver->start(resolver->user, &request, on_resolved, call);
    if (started != NULL) /* otherwise the call may be gone */
        call->resolving = started;
}

void call_prepare_abort(struct call *call)
{
    const struct resolver *resolver = call->worker->options.resolver;
    if (call->script != NULL)
        script_call_abort(call->script);
    if (call->resolving != NULL)
        resolver->abort(resolver->user, call->resolving);
    call->script = NULL;
    call->resolving = NULL;
}
