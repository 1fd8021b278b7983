/* Which flow listens on which path. Rebuilt from the store when flows changed. Thread-safe. */
#pragma once
#include "base/error.h"
#include "store/store.h"
#include <stdatomic.h>

struct webhook {
    atomic_uint users;
    char *key; /* "METHOD path" */
    char *flow_id, *flow_name, *node_id;
    char *definition; /* the flow as JSON text: each thread compiles its own */
    int version;
    bool answers; /* responseMode lastNode: the caller waits for the result */
    bool active;  /* the flow's status allows it */
    bool limited; /* its flow has limits of starting */
    int priority;
};

struct webhook_index;
struct webhook_index *webhook_index_new(void);
void webhook_index_free(struct webhook_index *index);

/* Flows are changed by other gateways too, whose word of it comes a moment later or never. Whether that path is known,
 * active, and nobody need be asked: the store was at or after since_us (monotonic). */
bool webhook_is_at_hand(struct webhook_index *index, unsigned generation, const char *method, const char *path,
                        int64_t since_us);
/* Asks the store, unless it was asked since, whether flows changed; then *generation rises. One query at a time,
 * however many want to know. */
enum err webhook_renew(struct webhook_index *index, struct store *store, int64_t since_us, atomic_uint *generation,
                       struct error *reterr) ERROR_MUST_CHECK;

/* Looks up method and path ("ANY" listens to all methods). `generation` is that of the flows: a new one rebuilds first.
 * NOT_FOUND, or METHOD_NOT_ALLOWED when the path listens to other methods. *ret is released by webhook_release. */
enum err webhook_find(struct webhook_index *index, struct store *store, unsigned generation, const char *method,
                      const char *path, struct webhook **ret, struct error *reterr) ERROR_MUST_CHECK;
void webhook_release(struct webhook *webhook);

/* All of them, by path: array of {method,path,flowId,flowName,nodeId,active,waits}; yours. */
enum err webhook_list(struct webhook_index *index, struct store *store, unsigned generation, struct json **ret,
                      struct error *reterr) ERROR_MUST_CHECK;

/* Whether a flow may be active beside the others: CONFLICT (field nodes[i].config.path) when a webhook of it is that of
 * another active flow, whose name the message tells, or stands in it twice. */
enum err webhook_check(struct webhook_index *index, struct store *store, unsigned generation, const struct json *flow,
                       struct error *reterr) ERROR_MUST_CHECK;
