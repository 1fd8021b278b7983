/* Changing user documents, atomically. */
#pragma once
#include "gateway/api_int.h"

/* On the store's writer thread, perhaps more than once: changes the user, or refuses. */
typedef enum err (*user_apply_fn)(struct store_session *session, struct json *user, void *arg, struct error *reterr);
/* Applies and stores, then forgets what was cached. ret may be NULL; else the changed document, yours. */
enum err user_change(struct api *api, const char *id, user_apply_fn apply, void *arg, struct json **ret,
                     struct error *reterr) ERROR_MUST_CHECK;
enum err user_load(struct api *api, const char *id, struct json **ret, struct error *reterr) ERROR_MUST_CHECK;
/* What may be shown of a user; yours. */
struct json *user_view(const struct json *user);
/* Ends the session of that id; NULL: all but `except` (NULL: all). */
void user_end_sessions(struct json *user, const char *id, const char *except);
