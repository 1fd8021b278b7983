/* The pages of a list behind an HTTP service: which one comes next, and the items of all. No I/O. */
#pragma once
#include "json/fields.h"

struct http_paging;
extern const struct field http_paging_fields[]; /* the node's field `paging` */

/* config NULL: no paging, *ret = NULL (which all functions below take). VALIDATION names paging.… */
enum err http_paging_new(const struct json *config, const char *url, struct http_paging **ret,
                         struct error *reterr) ERROR_MUST_CHECK;
void http_paging_free(struct http_paging *paging);

/* Of the request that is to be sent: the whole address (NULL: the node's own), or the parameter added to it. */
const char *http_paging_url(const struct http_paging *paging);
bool http_paging_parameter(const struct http_paging *paging, const char **ret_name, const char **ret_value);

/* Takes a page in; *ret_more: another is to be asked for. `link` is the answer's Link header (RFC 8288) or NULL.
 * NODE: the answer has not the shape that was configured, or a page comes again. LIMIT: too many pages or bytes. */
enum err http_paging_add(struct http_paging *paging, const struct json *body, size_t bytes, const char *link,
                         bool *ret_more, struct error *reterr) ERROR_MUST_CHECK;
int http_paging_count(const struct http_paging *paging);         /* pages so far */
bool http_paging_is_cut(const struct http_paging *paging);       /* stopped at maxPages, and there were more */
struct json *http_paging_take_items(struct http_paging *paging); /* yours */
