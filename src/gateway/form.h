/* Forms as browsers send them: application/x-www-form-urlencoded (WHATWG URL, 5.1). */
#pragma once
#include "gateway/http.h"

bool form_is_sent(const struct http_request *request); /* the body says that it is one */
/* name -> value, an array of values where a name comes several times; yours. */
struct json *form_body(struct http_request *request);
/* Sets the member; a second value of that name makes it an array. */
void form_add_value(struct json *object, const char *name, struct json *take_value);
