/* JSON to BSON and back, for mongodb-operations. */
#pragma once
#include "base/error.h"
#include "json/json.h"
#include <bson/bson.h>

/* Appends the members of an object, or the elements of an array. With `converts_ids` a text of 24 hex digits under _id,
 * or under a name that ends in Id, becomes an ObjectId; other values under such names stay as they are (api-contract
 * 4.2). {"$oid": "…"} and {"$date": "…"} are an ObjectId and a date wherever they stand. VALIDATION (field `where`) for
 * what BSON cannot hold. */
enum err mongo_append(bson_t *out, const struct json *value, bool converts_ids, const char *where,
                      struct error *reterr) ERROR_MUST_CHECK;

/* ObjectIds are hex digits, dates ISO times, binary data base64 text, decimals text; yours. */
struct json *mongo_document_json(const bson_t *document);
struct json *mongo_value_json(const bson_iter_t *at);
