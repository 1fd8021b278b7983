/* What variables and secrets have in common: documents of a scope (worker/vault.h), read, written and deleted by their
 * routes. In the route's path :id is the flow, where there is one, and the name comes last. */
#pragma once
#include "gateway/api_int.h"
#include "worker/vault.h"

struct scoped_kind {
    enum store_table table;
    const char *noun; /* "variable" */
    /* What may be shown of a document; yours. */
    struct json *(*view)(const struct api *api, const struct json *document);
    /* Checks the body's value and sets it in the document, whose name and scope are there. */
    enum err (*set_value)(const struct api *api, const struct json *body, struct json *document, struct error *reterr);
};

enum scoped_write {
    SCOPED_CREATE, /* the name is the body's; CONFLICT when it is taken */
    SCOPED_PUT     /* the name is the path's; there may be one already */
};

enum err scoped_list(struct api *api, struct http_request *request, const struct scoped_kind *kind,
                     struct error *reterr);
enum err scoped_get(struct api *api, struct http_request *request, const struct scoped_kind *kind,
                    struct error *reterr);
enum err scoped_write(struct api *api, struct http_request *request, const struct scoped_kind *kind,
                      enum scoped_write how, struct error *reterr);
enum err scoped_delete(struct api *api, struct http_request *request, const struct scoped_kind *kind,
                       struct error *reterr);
/* The members that variables and secrets are shown with; yours. */
struct json *scoped_view(const struct json *document);
/* This gateway and all workers read anew what they remember. */
void scoped_changed(struct api *api);
