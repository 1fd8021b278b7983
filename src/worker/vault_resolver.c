/* Look-ups of a worker. */
#include "worker/vault_resolver.h"

#include "base/loop.h"
#include "base/mem.h"
#include "worker/pool.h"
#include <stdlib.h>
#include <string.h>

struct vault_resolver {
    struct vault *vault;
    struct loop *loop;
    struct pool *pool; /* one thread */
    struct resolver interface;
    struct lookup *lookups; /* on the thread, or on their way back */
};

/* One request; its values belong to the thread until it is back on the loop. */
struct lookup {
    struct lookup *next, **place;
    struct vault_resolver *resolver;
    char *flow_id;
    bool wants_variables;
    struct json *names; /* of secrets; NULL: none */
    int64_t now_ms;
    struct json *variables, *secrets;
    struct error error;
    resolver_done_fn *done; /* NULL: nobody waits any more */
    void *done_user;
};

static void note(struct lookup *lookup, const struct error *error)
{
    if (lookup->error.code == ERR_OK)
        lookup->error = *error;
}

static void look_up_secrets(struct lookup *lookup)
{
    struct json_iter name;
    lookup->secrets = json_object_new();
    JSON_EACH(lookup->names, name)
    {
        AUTO_BUF struct buf value = {0};
        struct error error = {0};
        enum err code =
            vault_secret(lookup->resolver->vault, lookup->flow_id, name.key, lookup->now_ms, &value, &error);
        if (code == ERR_OK)
            json_set(lookup->secrets, name.key, json_string_new_n(value.data, value.len));
        else if (code != ERR_NOT_FOUND)
            note(lookup, &error);
        if (value.data != NULL)
            explicit_bzero(value.data, value.cap);
    }
}

static void look_up(void *user)
{
    struct lookup *lookup = user;
    struct error error = {0};
    if (lookup->wants_variables &&
        vault_variables(lookup->resolver->vault, lookup->flow_id, lookup->now_ms, &lookup->variables, &error) != ERR_OK)
        note(lookup, &error);
    if (lookup->names != NULL)
        look_up_secrets(lookup);
}

static void lookup_free(struct lookup *lookup)
{
    *lookup->place = lookup->next;
    if (lookup->next != NULL)
        lookup->next->place = lookup->place;
    json_unref(lookup->names);
    json_unref(lookup->variables);
    json_unref(lookup->secrets);
    free(lookup->flow_id);
    free(lookup);
}

static void answer(void *user)
{
    struct lookup *lookup = user;
    const struct resolver_answer found = {
        .error = lookup->error, .variables = lookup->variables, .secrets = lookup->secrets};
    if (lookup->done != NULL)
        lookup->done(lookup->done_user, &found);
    lookup_free(lookup);
}

static void *start(void *user, const struct resolver_request *request, resolver_done_fn *done, void *done_user)
{
    struct vault_resolver *resolver = user;
    struct lookup *lookup = mem_alloc(sizeof *lookup);
    int64_t now_ms = loop_now_ms(resolver->loop);
    *lookup = (struct lookup){.next = resolver->lookups,
                              .place = &resolver->lookups,
                              .resolver = resolver,
                              .flow_id = mem_dup(request->flow_id),
                              .wants_variables = request->variables,
                              .names = request->secrets == NULL ? NULL : json_dup(request->secrets),
                              .now_ms = now_ms,
                              .done = done,
                              .done_user = done_user};
    if (lookup->next != NULL)
        lookup->next->place = &lookup->next;
    resolver->lookups = lookup;
    if (vault_remembers(resolver->vault, request->flow_id, request->variables, request->secrets, now_ms)) {
        look_up(lookup);
        answer(lookup);
        return NULL;
    }
    pool_submit(resolver->pool, resolver->loop, look_up, answer, lookup);
    return lookup;
}

static void drop(void *user, void *started)
{
    (void)user;
    struct lookup *lookup = started;
    lookup->done = NULL;
}

static void forget(void *user)
{
    const struct vault_resolver *resolver = user;
    vault_forget(resolver->vault);
}

struct vault_resolver *vault_resolver_new(struct vault *vault, struct loop *loop)
{
    struct vault_resolver *resolver = mem_alloc(sizeof *resolver);
    resolver->vault = vault;
    resolver->loop = loop;
    resolver->pool = pool_new(1);
    resolver->interface = (struct resolver){.user = resolver, .start = start, .abort = drop, .forget = forget};
    return resolver;
}

void vault_resolver_free(struct vault_resolver *resolver)
{
    if (resolver == NULL)
        return;
    pool_free(resolver->pool);
    while (resolver->lookups != NULL) /* the loop is stopped: they do not come back by themselves */
        lookup_free(resolver->lookups);
    free(resolver);
}

const struct resolver *vault_resolver_get(const struct vault_resolver *resolver)
{
    return &resolver->interface;
}
