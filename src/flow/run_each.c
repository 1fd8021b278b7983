/* A for-each goes through its items: some at once, each in a scope of its own, results in order. */
#include "flow/run_int.h"

#include "base/limits.h"
#include <stdlib.h>

void run_each_free(struct each_run *each)
{
    if (each == NULL)
        return;
    for (size_t i = 0; i < each->count; i++) {
        json_unref(each->results[i]);
        json_unref(each->failures[i]);
    }
    json_unref(each->items);
    free(each->results);
    free(each->failures);
    free(each);
}

static void give_outputs(struct flow_run *run, struct scope *scope, unsigned index)
{
    struct node_run *node = run_node_at(run, scope, index);
    struct each_run *each = node->each;
    struct json *outputs = json_object_new(), *results = json_array_new(), *failures = json_array_new();
    for (size_t i = 0; i < each->count; i++) {
        if (each->failures[i] != NULL)
            json_push(failures, json_ref(each->failures[i]));
        json_push(results, each->results[i]);
        each->results[i] = NULL;
    }
    json_set(outputs, "results", results);
    json_set(outputs, "failures", failures);
    json_set_int(outputs, "count", (int64_t)each->count);
    json_unref(node->outputs);
    node->outputs = outputs;
    node->records = (int64_t)each->succeeded;
    node->ended_ms = run->now_ms;
    run_each_free(each);
    node->each = NULL;
    run_leave_state(run, scope, node);
    run_attempt_end(node, NODE_SUCCEEDED, run->now_ms, NULL);
    run_conclude(run, scope, index, NODE_SUCCEEDED);
}

static bool open_next(struct flow_run *run, struct scope *scope, unsigned index)
{
    struct each_run *each = run_node_at(run, scope, index)->each;
    size_t next = each->next;
    struct scope *inner =
        run_scope_new(run, run->flow->nodes[index].inner, scope, index, next, json_at(each->items, next));
    if (inner == NULL)
        return false;
    each->next++;
    each->open++;
    inner->started_ms = run->now_ms;
    if (each->item_timeout_ms > 0)
        inner->deadline_ms = run->now_ms + each->item_timeout_ms;
    run_scope_begin(run, inner);
    return true;
}

static void go_on(struct flow_run *run, struct scope *scope, unsigned index)
{
    struct each_run *each = run_node_at(run, scope, index)->each;
    while (each->open < each->concurrency && each->next < each->count)
        if (!open_next(run, scope, index)) {
            if (each->open > 0)
                break; /* there is room again when one of them ends */
            struct error error;
            (void)error_set(&error, ERR_LIMIT, "concurrency", "Too many iterations are under way at once.");
            run_fail_for_good(run, scope, index, &error);
            return;
        }
    if (each->ended == each->count)
        give_outputs(run, scope, index);
}

void run_each_step(struct flow_run *run, struct scope *scope, unsigned index, size_t item_index, struct json *item,
                   const struct error *error)
{
    struct each_run *each = run_node_at(run, scope, index)->each;
    each->open--;
    each->ended++;
    each->succeeded += error == NULL;
    if (error != NULL && !each->go_on) {
        struct error named;
        (void)error_set(&named, error->code, error->field, "item %zu: %s", item_index, error->message);
        run_fail_for_good(run, scope, index, &named);
        return;
    }
    if (error != NULL) {
        struct json *failure = json_object_new(), *reason = json_object_new();
        json_set_str(reason, "code", error_id(error->code));
        json_set_str(reason, "message", error->message);
        json_set_int(failure, "index", (int64_t)item_index);
        json_set(failure, "item", json_ref(item));
        json_set(failure, "error", reason);
        each->failures[item_index] = failure;
    }
    go_on(run, scope, index);
}

/* The node itself has given its plan: {items, concurrency, continueOnError, itemTimeoutMs}. What its expressions came
 * to is kept: its iterations are known by their number. */
void run_each_begin(struct flow_run *run, struct scope *scope, unsigned index, bool is_known)
{
    struct node_run *node = run_node_at(run, scope, index);
    const struct json *plan = node->outputs;
    struct each_run *each = mem_alloc(sizeof *each);
    int64_t concurrency = json_get_int(plan, "concurrency", 1);
    each->items = json_ref(node->known_items != NULL ? node->known_items : json_get(plan, "items"));
    each->count = json_count(each->items);
    each->results = mem_array(each->count + 1, sizeof(struct json *));
    each->failures = mem_array(each->count + 1, sizeof(struct json *));
    each->concurrency = concurrency < 1                            ? 1
                        : concurrency > LIMIT_FOR_EACH_CONCURRENCY ? LIMIT_FOR_EACH_CONCURRENCY
                                                                   : (unsigned)concurrency;
    each->go_on = json_get_bool(plan, "continueOnError", false);
    each->item_timeout_ms = json_get_int(plan, "itemTimeoutMs", 0);
    node->each = each;
    run_enter_state(run, scope, node, NODE_ITERATING);
    if (!is_known && run->flow->nodes[index].changing)
        run_checkpoint(run, scope, index, NULL);
    if (each->count > LIMIT_FOR_EACH_ITEMS) {
        struct error error;
        (void)error_set(&error, ERR_LIMIT, "items", "items has %zu elements; a for-each takes at most %d.", each->count,
                        LIMIT_FOR_EACH_ITEMS);
        run_fail_for_good(run, scope, index, &error);
        return;
    }
    go_on(run, scope, index);
}
