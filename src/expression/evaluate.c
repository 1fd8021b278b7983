/* Evaluating a configuration: plain paths here, the rest by a script, then the inputs put together. */
#include "expression/expression_int.h"

#include <stdlib.h>
#include <string.h>

struct result {
    bool wanted, done;
    struct value value;
};

struct expression_job {
    const struct expressions *set;
    struct json *inputs;
    struct result *results; /* of each source */
    unsigned *scripts;      /* sources for the runner */
    unsigned script_count;
};

static enum err name_error(const struct place *place, const struct source *source, const char *reason,
                           struct error *reterr)
{
    bool ended = *reason != '\0' && strchr(".!?", reason[strlen(reason) - 1]) != NULL;
    int shown = (int)(source->len < 120 ? source->len : 120);
    while (shown > 0 && (size_t)shown < source->len && ((unsigned char)source->text[shown] & 0xC0) == 0x80)
        shown--;
    return error_set(reterr, ERR_NODE, place->field, "%s: the expression {{ %.*s%s }} failed: %s%s", place->field,
                     shown, source->text, (size_t)shown < source->len ? "…" : "", reason, ended ? "" : ".");
}

/* Whether the place's member is still the configuration's own. */
static bool is_own(const struct expression_job *job, const struct place *place)
{
    return json_has(job->inputs, place->steps[0].key) &&
           json_get(job->inputs, place->steps[0].key) == json_get(job->set->config, place->steps[0].key);
}

static enum err evaluate_source(struct expression_job *job, const struct place *place, unsigned index,
                                const struct expression_source *names, struct error *reterr)
{
    const struct source *source = &job->set->sources[index];
    struct result *result = &job->results[index];
    struct error reason = {0};
    result->wanted = true;
    if (!source->is_path) {
        job->scripts[job->script_count++] = index;
        return ERR_OK;
    }
    enum path_outcome outcome = path_evaluate(&source->path, names, &result->value.owned, &reason);
    if (outcome == PATH_ERROR)
        return name_error(place, source, reason.message, reterr);
    if (outcome == PATH_NEEDS_SCRIPT) {
        job->scripts[job->script_count++] = index;
        return ERR_OK;
    }
    result->done = true;
    result->value.present = outcome == PATH_VALUE;
    result->value.json = result->value.owned;
    return ERR_OK;
}

struct expression_job *expression_job_new(const struct expressions *set, const struct json *inputs,
                                          const struct expression_source *names, struct error *reterr)
{
    struct expression_job *job = mem_alloc(sizeof *job);
    job->set = set;
    job->inputs = json_ref(inputs);
    job->results = mem_array(set->source_count + 1, sizeof *job->results);
    job->scripts = mem_array(set->source_count + 1, sizeof *job->scripts);
    enum err code = ERR_OK;
    for (unsigned i = 0; i < set->place_count && code == ERR_OK; i++) {
        const struct place *place = &set->places[i];
        if (!is_own(job, place))
            continue;
        if (place->problem != NULL)
            code = error_set(reterr, ERR_NODE, place->field, "%s: %s", place->field, place->problem);
        for (unsigned k = 0; k < place->mixed.expressions && code == ERR_OK; k++)
            code = evaluate_source(job, place, place->first_source + k, names, reterr);
    }
    if (code == ERR_OK)
        return job;
    expression_job_free(job);
    return NULL;
}

void expression_job_free(struct expression_job *job)
{
    if (job == NULL)
        return;
    for (unsigned i = 0; i < job->set->source_count; i++)
        value_done(&job->results[i].value);
    json_unref(job->inputs);
    free(job->results);
    free(job->scripts);
    free(job);
}

bool expression_job_needs_script(const struct expression_job *job)
{
    return job->script_count > 0;
}

void expression_job_program(const struct expression_job *job, struct buf *out)
{
    AUTO_JSON struct json *sources = json_array_new();
    for (unsigned i = 0; i < job->script_count; i++) {
        const struct source *source = &job->set->sources[job->scripts[i]];
        json_push(sources, json_string_new_n(source->text, source->len));
    }
    json_print(sources, out);
}

void expression_job_data(const struct expression_job *job, const struct expression_source *names, struct buf *out)
{
    struct expression_needs needs = {0};
    for (unsigned i = 0; i < job->script_count; i++) {
        const struct source *source = &job->set->sources[job->scripts[i]];
        expression_needs_add(&needs, source->text, source->len);
    }
    expression_needs_print(&needs, names, out);
    expression_needs_done(&needs);
}

static const struct place *place_of(const struct expressions *set, unsigned source)
{
    unsigned i = set->place_count;
    while (--i > 0 && (set->places[i].mixed.expressions == 0 || set->places[i].first_source > source))
        ;
    return &set->places[i];
}

enum err expression_job_fail(const struct expression_job *job, const struct error *reason, struct error *reterr)
{
    if (job->script_count == 0) {
        *reterr = *reason;
        return reason->code;
    }
    unsigned first = job->scripts[0];
    const struct place *place = place_of(job->set, first);
    if (job->script_count == 1) {
        (void)name_error(place, &job->set->sources[first], reason->message, reterr);
        reterr->code = reason->code;
        return reason->code;
    }
    const struct place *last = place_of(job->set, job->scripts[job->script_count - 1]);
    return error_set(reterr, reason->code, place->field, "%s%s%s: one of %s%u expressions in JavaScript failed: %s",
                     place->field, last == place ? "" : " to ", last == place ? "" : last->field,
                     last == place ? "its " : "", job->script_count, reason->message);
}

enum err expression_job_answer(struct expression_job *job, const struct json *results, struct error *reterr)
{
    for (unsigned i = 0; i < job->script_count; i++) {
        const struct json *answer = json_at(results, i), *failure = json_get(answer, "e");
        unsigned index = job->scripts[i];
        struct result *result = &job->results[index];
        if (!json_is(answer, JSON_OBJECT))
            return error_set(reterr, ERR_INTERNAL, NULL, "The JavaScript runner gave no answer to an expression.");
        if (failure != NULL) {
            const char *message = json_get_str(failure, "message");
            return name_error(place_of(job->set, index), &job->set->sources[index],
                              message == NULL ? "It threw an error" : message, reterr);
        }
        result->done = true;
        result->value = (struct value){.present = json_has(answer, "v"), .owned = json_ref(json_get(answer, "v"))};
        result->value.json = result->value.owned;
    }
    job->script_count = 0;
    return ERR_OK;
}

static void add_text(const struct value *value, struct buf *out)
{
    if (!value->present || value->json == NULL)
        return;
    if (json_is(value->json, JSON_OBJECT) || json_is(value->json, JSON_ARRAY))
        json_print(value->json, out);
    else
        value_add_text(value, out);
}

/* The value of one place; *ret_present false: undefined. */
static struct json *make_value(const struct expression_job *job, const struct place *place, bool *ret_present)
{
    unsigned source = place->first_source;
    *ret_present = true;
    if (place->mixed.is_whole) {
        *ret_present = job->results[source].value.present;
        return json_ref(job->results[source].value.json);
    }
    AUTO_BUF struct buf text;
    buf_init(&text, 0);
    for (unsigned i = 0; i < place->mixed.count; i++)
        if (place->mixed.parts[i].is_expression)
            add_text(&job->results[source++].value, &text);
        else
            buf_add(&text, place->mixed.parts[i].text, place->mixed.parts[i].len);
    return json_string_new_n(buf_str(&text), text.len);
}

/* The places below one value: they stand together, from *at on. */
struct rebuild {
    const struct expression_job *job;
    unsigned at;
};

static bool leads_to(const struct rebuild *rebuild, unsigned depth, const char *key, size_t index)
{
    if (rebuild->at == rebuild->job->set->place_count)
        return false;
    const struct place *place = &rebuild->job->set->places[rebuild->at];
    if (place->depth <= depth)
        return false;
    const struct place_step *step = &place->steps[depth];
    return key == NULL ? step->key == NULL && step->index == index : step->key != NULL && strcmp(step->key, key) == 0;
}

static struct json *rebuild_value(struct rebuild *rebuild, const struct json *value, unsigned depth, bool *ret_present)
{
    const struct place *place = &rebuild->job->set->places[rebuild->at];
    if (place->depth == depth) {
        rebuild->at++;
        return make_value(rebuild->job, place, ret_present);
    }
    bool present;
    *ret_present = true;
    if (json_is(value, JSON_ARRAY)) {
        struct json *array = json_array_new();
        for (size_t i = 0, n = json_count(value); i < n; i++)
            json_push(array, leads_to(rebuild, depth, NULL, i)
                                 ? rebuild_value(rebuild, json_at(value, i), depth + 1, &present)
                                 : json_ref(json_at(value, i)));
        return array;
    }
    struct json *object = json_object_new();
    struct json_iter member;
    JSON_EACH(value, member)
    {
        present = true;
        struct json *made = leads_to(rebuild, depth, member.key, 0)
                                ? rebuild_value(rebuild, member.value, depth + 1, &present)
                                : json_ref(member.value);
        if (present)
            json_set(object, member.key, made);
    }
    return object;
}

struct json *expression_job_take_inputs(struct expression_job *job)
{
    const struct expressions *set = job->set;
    struct json *inputs = json_object_new();
    struct json_iter member;
    JSON_EACH(job->inputs, member) json_set(inputs, member.key, json_ref(member.value));
    struct rebuild rebuild = {.job = job};
    while (rebuild.at < set->place_count) {
        const struct place *place = &set->places[rebuild.at];
        const char *key = place->steps[0].key;
        if (!is_own(job, place)) {
            rebuild.at++;
            continue;
        }
        bool present;
        struct json *value = rebuild_value(&rebuild, json_get(job->inputs, key), 1, &present);
        if (present)
            json_set(inputs, key, value);
        else
            json_remove(inputs, key);
    }
    return inputs;
}
