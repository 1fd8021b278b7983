/* The page: files of one folder; for the addresses that the page itself knows, its index.html. */
#pragma once
#include "base/error.h"

struct config;
struct http_request;
struct page;
struct route;

/* The first folder that has an index.html: WEB_DIR, or else `../web` and `../share/caudal/web` beside the program's own
 * folder. NULL: there is no page. A WEB_DIR without an index.html is said in the log. */
struct page *page_open(const struct config *config);
void page_close(struct page *page); /* NULL ok */

/* The route of what no other route takes; NULL: the page has no say either (it is NULL, another method, /api/…). */
const struct route *page_route(const struct page *page, const struct http_request *request);
/* Answers with a file, or with index.html where the address names none. May wait for the disk. */
enum err page_answer(const struct page *page, struct http_request *request, struct error *reterr) ERROR_MUST_CHECK;
