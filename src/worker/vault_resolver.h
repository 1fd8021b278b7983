/* Looks variables and secrets up for the nodes of a worker: at once when the vault remembers them, else on a thread of
 * its own, since the store may take its time. */
#pragma once
#include "worker/scope.h"
#include "worker/vault.h"

struct loop;
struct vault_resolver;

struct vault_resolver *vault_resolver_new(struct vault *vault, struct loop *loop);
/* After the worker, with the loop stopped; NULL ok. */
void vault_resolver_free(struct vault_resolver *resolver);
const struct resolver *vault_resolver_get(const struct vault_resolver *resolver);
