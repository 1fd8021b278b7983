/* mongodb-operations: finds, inserts, updates, deletes and aggregates documents of MongoDB (api-contract 4.2). */
#include "nodes/mongo_value.h"
#include "nodes/node_int.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include <mongoc/mongoc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define TIMEOUT_DEFAULT_MS 30000
#define RETRIES_DEFAULT 3
#define SELECTION_MS 5000
#define DOCUMENTS_MAX 100000 /* of one insertMany */

/* As Debian builds it, the library starts itself when the program is loaded, and keeps its counters in a shared file
 * named after the process, for mongoc-stat. A killed process would leave that file, and the next process of that
 * number warn of it: its name goes at once. */
__attribute__((constructor)) static void forget_counters(void)
{
    char name[32];
    snprintf(name, sizeof name, "/mongoc-%ld", (long)getpid());
    shm_unlink(name);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* It logs to nowhere from here on: errors come back. */
static void start_library(void)
{
    mongoc_init();
    mongoc_log_set_handler(NULL, NULL);
}

struct job {
    struct node_call *call;
    const struct json *options;
    int64_t timeout_ms;
    mongoc_uri_t *uri;
    mongoc_client_t *client;
    mongoc_collection_t *collection;
    bson_t query, update, settings; /* settings: those of the operation */
    struct json *result;
};

static enum err mongo_error(const bson_error_t *error, struct error *reterr)
{
    bool may_pass = error->domain == MONGOC_ERROR_STREAM || error->domain == MONGOC_ERROR_SERVER_SELECTION ||
                    error->code == 50 /* ExceededTimeLimit */ || error->code == 91 || error->code == 189 ||
                    error->code == 11600 || error->code == 11602 || error->code == 10107;
    return error_set(reterr, may_pass ? ERR_NODE_RETRY : ERR_NODE, NULL, "MongoDB: %.400s", error->message);
}

/* Zero counts as unset everywhere (api-contract 4.2). */
static int64_t option(const struct job *job, const char *name, int64_t otherwise)
{
    int64_t value = json_get_int(job->options, name, 0);
    return value > 0 ? value : otherwise;
}

/* ---- connecting */

static enum err parse_uri(struct job *job, struct error *reterr)
{
    const char *text = node_input_str(job->call, "connectionString", "");
    bool prefix = strncmp(text, "mongodb://", 10) == 0 || strncmp(text, "mongodb+srv://", 14) == 0;
    bson_error_t ignored; /* it may repeat parts of the text, which holds a password */
    if (prefix && strlen(text) == json_as_str_len(json_get(job->call->inputs, "connectionString")))
        job->uri = mongoc_uri_new_with_error(text, &ignored);
    if (job->uri == NULL)
        return error_set(reterr, ERR_VALIDATION, "connectionString",
                         "connectionString must be a MongoDB address such as mongodb://user:password@host:27017.");
    mongoc_uri_set_option_as_int32(job->uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, SELECTION_MS);
    mongoc_uri_set_option_as_int32(job->uri, MONGOC_URI_CONNECTTIMEOUTMS, SELECTION_MS);
    mongoc_uri_set_option_as_int32(job->uri, MONGOC_URI_SOCKETTIMEOUTMS, (int32_t)job->timeout_ms);
    return ERR_OK;
}

static void pause_ms(int64_t ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&time, &time) != 0)
        continue;
}

static enum err reach(struct job *job, struct error *reterr)
{
    int64_t attempts = option(job, "retries", RETRIES_DEFAULT), started_us = clock_monotonic_us();
    bson_error_t error = {0};
    job->client = mongoc_client_new_from_uri(job->uri);
    if (job->client == NULL)
        return error_set(reterr, ERR_VALIDATION, "connectionString",
                         "connectionString asks for something that this build cannot do.");
    (void)mongoc_client_set_error_api(job->client, MONGOC_ERROR_API_VERSION_2);
    (void)mongoc_client_set_appname(job->client, "caudal");
    for (int64_t attempt = 1;; attempt++) {
        mongoc_server_description_t *server = mongoc_client_select_server(job->client, false, NULL, &error);
        if (server != NULL) {
            mongoc_server_description_destroy(server);
            return ERR_OK;
        }
        int64_t wait_ms = INT64_C(1000) << (attempt - 1), spent_ms = (clock_monotonic_us() - started_us) / 1000;
        bool late = job->call->timeout_ms > 0 && spent_ms + wait_ms >= job->call->timeout_ms;
        if (attempt >= attempts || late)
            return error_set(reterr, ERR_NODE_RETRY, "connectionString",
                             "MongoDB could not be reached in %lld attempt%s: %.300s", (long long)attempt,
                             attempt == 1 ? "" : "s", error.message);
        pause_ms(wait_ms);
    }
}

/* ---- operations */

static void set_count(struct job *job, const char *pin, int64_t count, bool is_record_count)
{
    node_call_set(job->call, pin, json_int_new(count));
    if (is_record_count)
        job->call->records = count;
}

static int64_t reply_int(const bson_t *reply, const char *name)
{
    bson_iter_t at;
    return bson_iter_init_find(&at, reply, name) ? bson_iter_as_int64(&at) : 0;
}

static struct json *reply_value(const bson_t *reply, const char *name)
{
    bson_iter_t at;
    return bson_iter_init_find(&at, reply, name) ? mongo_value_json(&at) : NULL;
}

static enum err read_all(struct job *job, mongoc_cursor_t *cursor, struct error *reterr)
{
    const bson_t *document = NULL;
    bson_error_t error = {0};
    size_t bytes = 0;
    enum err code = ERR_OK;
    job->result = json_array_new();
    while (code == ERR_OK && mongoc_cursor_next(cursor, &document)) {
        bytes += document->len;
        if (bytes > LIMIT_OUTPUT_BYTES)
            code = error_set(reterr, ERR_LIMIT, "result",
                             "The documents are more than %d bytes; ask for fewer with query, limit or projection.",
                             LIMIT_OUTPUT_BYTES);
        else
            json_push(job->result, mongo_document_json(document));
    }
    if (code == ERR_OK && mongoc_cursor_error(cursor, &error))
        code = mongo_error(&error, reterr);
    mongoc_cursor_destroy(cursor);
    return code;
}

static enum err add_read_options(struct job *job, bool single, struct error *reterr)
{
    static const char *const objects[] = {"sort", "projection"};
    for (size_t i = 0; i < 2; i++) {
        const struct json *value = json_get(job->options, objects[i]);
        bson_t inner;
        char where[32];
        (void)snprintf(where, sizeof where, "options.%s", objects[i]);
        if (json_count(value) == 0 || (single && i == 0))
            continue;
        BSON_APPEND_DOCUMENT_BEGIN(&job->settings, objects[i], &inner);
        enum err code = mongo_append(&inner, value, false, where, reterr);
        bson_append_document_end(&job->settings, &inner);
        if (code != ERR_OK)
            return code;
    }
    if (single)
        BSON_APPEND_INT64(&job->settings, "limit", 1);
    else if (option(job, "limit", 0) > 0)
        BSON_APPEND_INT64(&job->settings, "limit", option(job, "limit", 0));
    if (!single && option(job, "skip", 0) > 0)
        BSON_APPEND_INT64(&job->settings, "skip", option(job, "skip", 0));
    BSON_APPEND_INT64(&job->settings, "maxTimeMS", job->timeout_ms);
    return ERR_OK;
}

static enum err find(struct job *job, struct error *reterr)
{
    enum err code = add_read_options(job, false, reterr);
    if (code == ERR_OK)
        code =
            read_all(job, mongoc_collection_find_with_opts(job->collection, &job->query, &job->settings, NULL), reterr);
    if (code == ERR_OK)
        set_count(job, "matchedCount", (int64_t)json_count(job->result), true);
    return code;
}

static enum err find_one(struct job *job, struct error *reterr)
{
    enum err code = add_read_options(job, true, reterr);
    if (code == ERR_OK)
        code =
            read_all(job, mongoc_collection_find_with_opts(job->collection, &job->query, &job->settings, NULL), reterr);
    if (code != ERR_OK)
        return code;
    struct json *list = job->result;
    job->result = json_ref(json_at(list, 0));
    set_count(job, "matchedCount", (int64_t)json_count(list), true);
    json_unref(list);
    return ERR_OK;
}

/* A document as it is inserted: with an _id at its head when it has none. *ret_id: the id as JSON, yours. */
static enum err make_document(const struct json *document, const char *where, bson_t *ret, struct json **ret_id,
                              struct error *reterr)
{
    if (!json_is(document, JSON_OBJECT))
        return error_set(reterr, ERR_VALIDATION, where, "%s must be an object, not %s.", where,
                         json_kind_name(document));
    bson_init(ret);
    if (!json_has(document, "_id")) {
        bson_oid_t oid;
        bson_oid_init(&oid, NULL);
        BSON_APPEND_OID(ret, "_id", &oid);
    }
    enum err code = mongo_append(ret, document, false, where, reterr);
    if (code == ERR_OK)
        *ret_id = reply_value(ret, "_id");
    else
        bson_destroy(ret);
    return code;
}

static enum err insert_one(struct job *job, struct error *reterr)
{
    bson_t document, reply;
    bson_error_t error = {0};
    struct json *id = NULL;
    const struct json *given = json_get(job->call->inputs, "document");
    if (given == NULL || json_is(given, JSON_ARRAY))
        return error_set(reterr, ERR_VALIDATION, "document", "document must be an object for insertOne, not %s.",
                         json_kind_name(given));
    enum err code = make_document(given, "document", &document, &id, reterr);
    if (code != ERR_OK)
        return code;
    if (!mongoc_collection_insert_one(job->collection, &document, NULL, &reply, &error))
        code = mongo_error(&error, reterr);
    bson_destroy(&document);
    bson_destroy(&reply);
    if (code == ERR_OK) {
        struct json *ids = json_object_new();
        job->result = json_object_new();
        json_set(job->result, "insertedId", json_ref(id));
        json_set(ids, "0", json_ref(id));
        node_call_set(job->call, "insertedIds", ids);
        set_count(job, "insertedCount", 1, true);
    }
    json_unref(id);
    return code;
}

static enum err send_many(struct job *job, bson_t *documents, size_t count, struct json *ids, struct error *reterr)
{
    bson_error_t error = {0};
    bson_t reply;
    const bson_t **list = mem_array(count, sizeof *list);
    for (size_t i = 0; i < count; i++)
        list[i] = &documents[i];
    bool fine = mongoc_collection_insert_many(job->collection, list, count, NULL, &reply, &error);
    int64_t inserted = reply_int(&reply, "insertedCount");
    bson_destroy(&reply);
    free(list);
    if (!fine) {
        enum err code = mongo_error(&error, reterr);
        return inserted == 0 ? code
                             : error_set(reterr, ERR_NODE, "document", "MongoDB, after %lld of %zu documents: %.300s",
                                         (long long)inserted, count, error.message);
    }
    job->result = json_object_new();
    json_set(job->result, "insertedIds", json_ref(ids));
    node_call_set(job->call, "insertedIds", json_ref(ids));
    set_count(job, "insertedCount", inserted, true);
    return ERR_OK;
}

static enum err insert_many(struct job *job, struct error *reterr)
{
    const struct json *given = json_get(job->call->inputs, "document");
    size_t count = json_count(given), made = 0;
    if (!json_is(given, JSON_ARRAY) || count == 0)
        return error_set(reterr, ERR_VALIDATION, "document",
                         "document must be an array of objects, at least one, for insertMany.");
    if (count > DOCUMENTS_MAX)
        return error_set(reterr, ERR_LIMIT, "document", "document must have at most %d elements.", DOCUMENTS_MAX);
    bson_t *documents = mem_array(count, sizeof *documents);
    struct json *ids = json_object_new();
    enum err code = ERR_OK;
    for (; made < count && code == ERR_OK; made += code == ERR_OK) {
        char where[40], key[24];
        struct json *id = NULL;
        (void)snprintf(where, sizeof where, "document[%zu]", made);
        (void)snprintf(key, sizeof key, "%zu", made);
        code = make_document(json_at(given, made), where, &documents[made], &id, reterr);
        if (code == ERR_OK)
            json_set(ids, key, id);
    }
    if (code == ERR_OK)
        code = send_many(job, documents, count, ids, reterr);
    for (size_t i = 0; i < made; i++)
        bson_destroy(&documents[i]);
    free(documents);
    json_unref(ids);
    return code;
}

static enum err change(struct job *job, bool many, struct error *reterr)
{
    bson_t reply;
    bson_error_t error = {0};
    if (json_count(json_get(job->call->inputs, "update")) == 0)
        return error_set(reterr, ERR_VALIDATION, "update",
                         "update is required for %s: an object such as {\"$set\": {…}}.",
                         many ? "updateMany" : "updateOne");
    enum err code = mongo_append(&job->update, json_get(job->call->inputs, "update"), true, "update", reterr);
    if (code != ERR_OK)
        return code;
    if (json_get_bool(job->options, "upsert", false))
        BSON_APPEND_BOOL(&job->settings, "upsert", true);
    bool fine =
        many ? mongoc_collection_update_many(job->collection, &job->query, &job->update, &job->settings, &reply, &error)
             : mongoc_collection_update_one(job->collection, &job->query, &job->update, &job->settings, &reply, &error);
    if (!fine)
        code = mongo_error(&error, reterr);
    if (fine) {
        int64_t matched = reply_int(&reply, "matchedCount"), modified = reply_int(&reply, "modifiedCount");
        job->result = json_object_new();
        json_set_int(job->result, "matchedCount", matched);
        json_set_int(job->result, "modifiedCount", modified);
        if (many)
            json_set_int(job->result, "upsertedCount", reply_int(&reply, "upsertedCount"));
        else
            json_set(job->result, "upsertedId", reply_value(&reply, "upsertedId"));
        set_count(job, "matchedCount", matched, false);
        set_count(job, "modifiedCount", modified, true);
    }
    bson_destroy(&reply);
    return code;
}

static enum err update_one(struct job *job, struct error *reterr)
{
    return change(job, false, reterr);
}

static enum err update_many(struct job *job, struct error *reterr)
{
    return change(job, true, reterr);
}

static enum err delete_some(struct job *job, bool many, struct error *reterr)
{
    bson_t reply;
    bson_error_t error = {0};
    enum err code = ERR_OK;
    bool fine = many ? mongoc_collection_delete_many(job->collection, &job->query, NULL, &reply, &error)
                     : mongoc_collection_delete_one(job->collection, &job->query, NULL, &reply, &error);
    if (!fine)
        code = mongo_error(&error, reterr);
    if (fine) {
        int64_t deleted = reply_int(&reply, "deletedCount");
        job->result = json_object_new();
        json_set_int(job->result, "deletedCount", deleted);
        set_count(job, "deletedCount", deleted, true);
    }
    bson_destroy(&reply);
    return code;
}

static enum err delete_one(struct job *job, struct error *reterr)
{
    return delete_some(job, false, reterr);
}

static enum err delete_many(struct job *job, struct error *reterr)
{
    return delete_some(job, true, reterr);
}

static enum err aggregate(struct job *job, struct error *reterr)
{
    const struct json *stages = json_get(job->call->inputs, "pipeline");
    bson_t pipeline, list;
    if (!json_is(stages, JSON_ARRAY))
        return error_set(reterr, ERR_VALIDATION, "pipeline", "pipeline must be an array of stages for aggregate.");
    bson_init(&pipeline);
    BSON_APPEND_ARRAY_BEGIN(&pipeline, "pipeline", &list);
    enum err code = mongo_append(&list, stages, false, "pipeline", reterr);
    bson_append_array_end(&pipeline, &list);
    BSON_APPEND_INT64(&job->settings, "maxTimeMS", job->timeout_ms);
    if (code == ERR_OK)
        code = read_all(
            job, mongoc_collection_aggregate(job->collection, MONGOC_QUERY_NONE, &pipeline, &job->settings, NULL),
            reterr);
    if (code == ERR_OK)
        set_count(job, "matchedCount", (int64_t)json_count(job->result), true);
    bson_destroy(&pipeline);
    return code;
}

static const struct {
    const char *name;
    enum err (*run)(struct job *job, struct error *reterr);
} operations[] = {{"find", find},
                  {"findOne", find_one},
                  {"insertOne", insert_one},
                  {"insertMany", insert_many},
                  {"updateOne", update_one},
                  {"updateMany", update_many},
                  {"deleteOne", delete_one},
                  {"deleteMany", delete_many},
                  {"aggregate", aggregate}};
static const char *const operation_names[] = {"find",       "findOne",   "insertOne",  "insertMany", "updateOne",
                                              "updateMany", "deleteOne", "deleteMany", "aggregate",  NULL};

static enum err run_job(struct job *job, struct error *reterr)
{
    const char *operation = node_input_str(job->call, "operation", "find");
    size_t which = 0;
    while (strcmp(operations[which].name, operation) != 0)
        which++; /* the field table has checked it */
    enum err code = parse_uri(job, reterr);
    if (code == ERR_OK)
        code = mongo_append(&job->query, json_get(job->call->inputs, "query"), true, "query", reterr);
    if (code == ERR_OK)
        code = reach(job, reterr);
    if (code != ERR_OK)
        return code;
    job->collection = mongoc_client_get_collection(job->client, node_input_str(job->call, "database", ""),
                                                   node_input_str(job->call, "collection", ""));
    code = operations[which].run(job, reterr);
    if (code != ERR_OK)
        return code;
    node_call_set(job->call, "result", json_ref(job->result));
    node_call_set(job->call, "operationType", json_string_new(operation));
    return ERR_OK;
}

static enum err execute(struct node_call *call, struct error *reterr)
{
    enum err code = node_inputs_check(call, reterr);
    if (code != ERR_OK)
        return code;
    (void)pthread_once(&once, start_library);
    struct job job = {.call = call, .options = json_get(call->inputs, "options")};
    job.timeout_ms = option(&job, "timeout", TIMEOUT_DEFAULT_MS);
    bson_init(&job.query);
    bson_init(&job.update);
    bson_init(&job.settings);
    code = run_job(&job, reterr);
    if (job.collection != NULL)
        mongoc_collection_destroy(job.collection);
    if (job.client != NULL)
        mongoc_client_destroy(job.client);
    if (job.uri != NULL)
        mongoc_uri_destroy(job.uri);
    bson_destroy(&job.query);
    bson_destroy(&job.update);
    bson_destroy(&job.settings);
    json_unref(job.result);
    return code;
}

static const struct flow_pin inputs[] = {
    {.name = "connectionString", .type = "string", .required = true, .description = "Address of the server."},
    {.name = "database", .type = "string", .required = true, .description = "The database."},
    {.name = "collection", .type = "string", .required = true, .description = "The collection."},
    {.name = "operation",
     .type = "string",
     .required = true,
     .description = "What is done.",
     .default_json = "\"find\""},
    {.name = "query", .type = "object", .description = "Which documents.", .default_json = "{}"},
    {.name = "document", .type = "any", .description = "The document to insert, or the documents."},
    {.name = "update", .type = "object", .description = "What changes, such as {\"$set\": {…}}."},
    {.name = "pipeline", .type = "array", .description = "The stages of an aggregation."},
    {0}};
static const struct flow_pin outputs[] = {
    {.name = "result", .type = "array", .description = "The documents; of writes and findOne an object."},
    {.name = "matchedCount", .type = "number", .description = "How many documents were found."},
    {.name = "modifiedCount", .type = "number", .description = "How many were changed."},
    {.name = "insertedCount", .type = "number", .description = "How many were inserted."},
    {.name = "deletedCount", .type = "number", .description = "How many were deleted."},
    {.name = "insertedIds", .type = "object", .description = "The ids of inserted documents by their place."},
    {.name = "operationType", .type = "string", .description = "The operation."},
    {0}};
static const struct flow_rule rules[] = {{"data-filter", "result", "data", "full"},
                                         {"field-mapper", "result", "source", "full"},
                                         {"mongodb-operations", "result", "document", "full"},
                                         {"postgresql-query", "result", "parameters", "full"},
                                         {0}};
static const struct field option_fields[] = {
    {.name = "timeout",
     .kind = FIELD_INT,
     .min = 0,
     .max = 3600000,
     .label = "Time limit (ms)",
     .default_json = "30000",
     .help = "Milliseconds of the operation, after connecting."},
    {.name = "retries",
     .kind = FIELD_INT,
     .min = 0,
     .max = 10,
     .default_json = "3",
     .help = "Attempts to connect, 1, 2, 4 … seconds apart."},
    {.name = "upsert",
     .kind = FIELD_BOOL,
     .default_json = "false",
     .help = "For updates: insert a document when none is found."},
    {.name = "sort", .kind = FIELD_OBJECT, .nullable = true, .help = "For find: fields with 1 or -1."},
    {.name = "limit", .kind = FIELD_INT, .min = 0, .max = 10000000, .help = "For find: at most so many documents."},
    {.name = "skip", .kind = FIELD_INT, .min = 0, .max = 1000000000, .help = "For find: leave out so many first."},
    {.name = "projection", .kind = FIELD_OBJECT, .nullable = true, .help = "For find and findOne: fields with 1 or 0."},
    {0}};
static const struct field fields[] = {
    {.name = "connectionString",
     .kind = FIELD_STRING,
     .min = 1,
     .max = 4000,
     .pattern = "^mongodb(\\+srv)?://.*",
     .secret = true,
     .widget = "connection",
     .label = "Connection",
     .help = "Address of the server with user and password."},
    {.name = "database", .kind = FIELD_STRING, .min = 1, .max = 63, .help = "Name of the database."},
    {.name = "collection", .kind = FIELD_STRING, .min = 1, .max = 200, .help = "Name of the collection."},
    {.name = "operation",
     .kind = FIELD_ENUM,
     .values = operation_names,
     .default_json = "\"find\"",
     .help = "What is done with the collection."},
    {.name = "query",
     .kind = FIELD_OBJECT,
     .nullable = true,
     .default_json = "{}",
     .help = "Which documents; text of 24 hex digits under _id and …Id is an ObjectId. Empty: all of them."},
    {.name = "document", .kind = FIELD_ANY, .help = "For insertOne an object, for insertMany an array of objects."},
    {.name = "update", .kind = FIELD_OBJECT, .nullable = true, .help = "For updates: operators such as $set and $inc."},
    {.name = "pipeline",
     .kind = FIELD_ARRAY,
     .nullable = true,
     .max = 1000,
     .help = "For aggregate: the stages, in order."},
    {.name = "options",
     .kind = FIELD_OBJECT,
     .fields = option_fields,
     .nullable = true,
     .help = "Details of the operation."},
    {0}};
static const struct node_example examples[] = {
    {"Open orders", "The newest two.",
     "{\"connectionString\":\"mongodb://localhost:27017\",\"database\":\"shop\",\"collection\":\"orders\",\"query\":{"
     "\"status\":\"open\"},\"options\":{\"sort\":{\"at\":-1},\"limit\":2}}",
     "{\"matchedCount\":1,\"result\":[{\"_id\":\"65f000000000000000000001\",\"status\":\"open\"}],\"operationType\":"
     "\"find\"}"},
    {0}};
static const struct node_trouble troubles[] = {
    {"MongoDB could not be reached in 3 attempts", "Nothing listens there, or a firewall is between.",
     "Try the address from the worker's machine."},
    {"MongoDB: Authentication failed", "User, password or the database that knows the user is wrong.",
     "Check the connection string; authSource names the database of the user."},
    {"A query by _id in a list finds nothing", "Only text right under _id or …Id becomes an ObjectId.",
     "Write {\"$oid\": \"…\"} inside of lists."},
    {0}};

const struct node_type node_mongodb_operations = {
    .spec = {.type = "mongodb-operations",
             .inputs = inputs,
             .outputs = outputs,
             .rules = rules,
             .fields = fields,
             .data_input = "document"},
    .name = "MongoDB Operations",
    .version = "1.0.0",
    .description = "Finds, inserts, updates, deletes and aggregates documents of MongoDB.",
    .category = "database",
    .icon = "mongodb",
    .timeout_ms = 30000,
    .retries = 3,
    .concurrency = 1,
    .batch_size = 1000,
    .tags = (const char *const[]){"database", "mongodb", "nosql", "crud", NULL},
    .related = (const char *const[]){"data-filter", "field-mapper", "postgresql-query", NULL},
    .purpose = "Use it to read from and write to a MongoDB database.",
    .requirements = (const char *const[]){"A MongoDB server, version 3.6 or newer.", NULL},
    .limitations =
        (const char *const[]){
            "Results of at most 64 MiB.", "A new connection for each attempt.",
            "An insert that runs again after a crash inserts again, unless the documents have an _id.", NULL},
    .best_practices = (const char *const[]){"Give inserted documents an _id of your own.", NULL},
    .examples = examples,
    .troubles = troubles,
    .mode = NODE_BLOCKING,
    .execute = execute,
};
