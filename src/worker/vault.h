/* Variables and secrets of flows: their names, their sealing, and what a run gets of them. Any thread.
 *
 * Both belong to one flow, or are global; a flow's own hides the global one of the same name. Documents in the store
 * have the id SCOPE/NAME, where the scope is the flow's id or "global": {name, scope (global|flow), flowId|null, value
 * | sealed, description|null, createdAt, createdBy, updatedAt, updatedBy}. A secret is sealed for its place: moved to
 * another one it does not open. Values in plain text are nowhere kept: what is remembered for a moment is sealed. */
#pragma once
#include "base/seal.h"
#include "store/store.h"

#define VAULT_GLOBAL "global"
#define VAULT_SCOPE_MAX 500 /* names of one kind in one scope */
#define VAULT_NAME_MAX 64
#define VAULT_VALUE_BYTES 16384 /* of a secret, or of a variable's JSON text */
#define VAULT_SECRET_MIN 8      /* shorter ones stand in everyday data by chance, and would be hidden there */

struct vault;

/* The keys are copied. */
struct vault *vault_new(struct store *store, const struct seal_ring *keys);
void vault_free(struct vault *vault); /* NULL ok */

/* Letters, digits and _, not beginning with a digit; nothing that every JavaScript object has (constructor). */
enum err vault_check_name(const char *name, struct error *reterr) ERROR_MUST_CHECK;
/* The id of a document, in the arena; flow_id NULL: global. */
char *vault_id(struct arena *arena, const char *flow_id, const char *name);

/* UNPROCESSABLE with what to do while there is no key. */
enum err vault_has_key(const struct vault *vault, struct error *reterr) ERROR_MUST_CHECK;
/* Sets the document's member `sealed`. */
enum err vault_seal(const struct vault *vault, struct json *document, const char *plain, size_t size,
                    struct error *reterr) ERROR_MUST_CHECK;
bool vault_is_readable(const struct vault *vault, const struct json *document); /* one of the keys opens it */
bool vault_is_current(const struct vault *vault, const struct json *document);  /* it is sealed under the first key */
/* Seals it under the first key; UNPROCESSABLE when no key opens it. */
enum err vault_reseal(const struct vault *vault, struct json *document, struct error *reterr) ERROR_MUST_CHECK;

struct vault_survey {
    size_t secrets, readable, current;
};
enum err vault_survey(const struct vault *vault, struct vault_survey *ret, struct error *reterr) ERROR_MUST_CHECK;

/* ---- what a run gets; flow_id NULL: global ones only. What was read is remembered for VAULT_MEMORY_MS, and so is that
 * there is nothing; now_ms is the caller's clock. NOT_FOUND names what there is not. */
#define VAULT_MEMORY_MS 5000

enum err vault_variable(struct vault *vault, const char *flow_id, const char *name, int64_t now_ms, struct json **ret,
                        struct error *reterr) ERROR_MUST_CHECK;
/* All that the flow sees: object name -> value; yours. */
enum err vault_variables(struct vault *vault, const char *flow_id, int64_t now_ms, struct json **ret,
                         struct error *reterr) ERROR_MUST_CHECK;
/* Appends the value. */
enum err vault_secret(struct vault *vault, const char *flow_id, const char *name, int64_t now_ms, struct buf *out,
                      struct error *reterr) ERROR_MUST_CHECK;
void vault_forget(struct vault *vault); /* something was changed */
/* Whether all of these are remembered, so that asking does not wait for the store. secrets: object name -> anything. */
bool vault_remembers(struct vault *vault, const char *flow_id, bool variables, const struct json *secrets,
                     int64_t now_ms);
