/* Asks the store how executions ended whose end was told to nobody here: the word about it is best effort (TOPIC_LIVE),
 * the store is the truth. */
#pragma once
#include "base/loop.h"
#include "store/store.h"

struct ended_search;
/* `ended` is an entry of store_executions_ended; borrowed. */
typedef void (*ended_search_fn)(void *user, const struct json *ended);

/* Calls on_ended on the loop. */
struct ended_search *ended_search_new(struct store *store, struct loop *loop, ended_search_fn on_ended, void *user);
/* Nothing happens while the former one is under way, nor without ids. A store that is away says nothing. On the loop.
 */
void ended_search_start(struct ended_search *search, struct json *take_ids);
void ended_search_free(struct ended_search *search); /* with the loop stopped; waits for the store; NULL ok */
