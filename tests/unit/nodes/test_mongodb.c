/* mongodb-operations against a server of the test's own that speaks the wire protocol (api-contract 4.2). */
#include "base/mem.h"
#include "support/mongo_server.h"
#include "support/node_run.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

static struct mongo_server *server;

static int start(void **state)
{
    (void)state;
    server = mongo_server_start();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    mongo_server_stop(server);
    return 0;
}

/* The server's address and collection, and the rest. */
static char *inputs(const char *rest)
{
    return mem_printf(
        "{\"connectionString\":\"mongodb://127.0.0.1:%d\",\"database\":\"shop\",\"collection\":\"orders\",%s}",
        mongo_server_port(server), rest);
}

static void gives(const char *rest, const char *outputs)
{
    AUTO_FREE char *json = inputs(rest);
    node_assert_outputs("mongodb-operations", json, outputs);
}

static void fails(const char *rest, enum err code, const char *field, const char *says)
{
    AUTO_FREE char *json = inputs(rest);
    node_assert_fails("mongodb-operations", json, code, field, says);
}

#define ID1 "65f000000000000000000001"
#define ID2 "65f000000000000000000002"

static void documents_come_and_go(void **state)
{
    (void)state;
    gives("\"operation\":\"insertMany\",\"document\":[{\"_id\":{\"$oid\":\"" ID1 "\"},\"status\":\"open\",\"n\":1,"
          "\"at\":{\"$date\":\"2025-03-01T00:00:00Z\"},\"x\":{\"l\":[1.5,null,true,5000000000]}},{\"_id\":{\"$oid\":"
          "\"" ID2 "\"},\"status\":\"done\",\"n\":2,\"customerId\":{\"$oid\":\"" ID1 "\"}}]",
          "{\"insertedIds\":{\"0\":\"" ID1 "\",\"1\":\"" ID2
          "\"},\"insertedCount\":2,\"result\":{\"insertedIds\":{\"0\":\"" ID1 "\",\"1\":\"" ID2
          "\"}},\"operationType\":\"insertMany\"}");
    gives("\"operation\":\"find\",\"query\":{\"status\":\"open\"}",
          "{\"matchedCount\":1,\"result\":[{\"_id\":\"" ID1
          "\",\"status\":\"open\",\"n\":1,\"at\":\"2025-03-01T00:00:00."
          "000Z\",\"x\":{\"l\":[1.5,null,true,5000000000]}}],\"operationType\":\"find\"}");
    gives("\"operation\":\"findOne\",\"query\":{\"_id\":\"" ID2 "\"}", /* hex text is an ObjectId */
          "{\"matchedCount\":1,\"result\":{\"_id\":\"" ID2 "\",\"status\":\"done\",\"n\":2,\"customerId\":\"" ID1
          "\"},\"operationType\":\"findOne\"}");
    gives("\"operation\":\"findOne\",\"query\":{\"customerId\":\"" ID1
          "\",\"n\":{\"$gt\":1}},\"options\":{\"limit\":0}",
          "{\"matchedCount\":1,\"result\":{\"_id\":\"" ID2 "\",\"status\":\"done\",\"n\":2,\"customerId\":\"" ID1
          "\"},\"operationType\":\"findOne\"}");
    gives("\"operation\":\"findOne\",\"query\":{\"_id\":\"none\"}",
          "{\"matchedCount\":0,\"result\":null,\"operationType\":\"findOne\"}");
    gives("\"operation\":\"updateOne\",\"query\":{\"_id\":\"" ID1
          "\"},\"update\":{\"$set\":{\"status\":\"done\"},\"$inc\":{"
          "\"n\":5}}",
          "{\"matchedCount\":1,\"modifiedCount\":1,\"result\":{\"matchedCount\":1,\"modifiedCount\":1,\"upsertedId\":"
          "null},"
          "\"operationType\":\"updateOne\"}");
    gives("\"operation\":\"updateMany\",\"update\":{\"$set\":{\"status\":\"done\"}}",
          "{\"matchedCount\":2,\"modifiedCount\":0,\"result\":{\"matchedCount\":2,\"modifiedCount\":0,"
          "\"upsertedCount\":0},"
          "\"operationType\":\"updateMany\"}");
    gives("\"operation\":\"updateMany\",\"query\":{\"status\":\"new\"},\"update\":{\"$set\":{\"n\":9}},\"options\":{"
          "\"upsert\":"
          "true}",
          "{\"matchedCount\":0,\"modifiedCount\":0,\"result\":{\"matchedCount\":0,\"modifiedCount\":0,"
          "\"upsertedCount\":1},"
          "\"operationType\":\"updateMany\"}");
    gives("\"operation\":\"aggregate\",\"pipeline\":[{\"$match\":{\"n\":6}},{\"$limit\":1}]",
          "{\"matchedCount\":1,\"result\":[{\"_id\":\"" ID1
          "\",\"status\":\"done\",\"n\":6,\"at\":\"2025-03-01T00:00:00."
          "000Z\",\"x\":{\"l\":[1.5,null,true,5000000000]}}],\"operationType\":\"aggregate\"}");
    gives("\"operation\":\"deleteOne\",\"query\":{\"status\":\"done\"}",
          "{\"deletedCount\":1,\"result\":{\"deletedCount\":1},\"operationType\":\"deleteOne\"}");
    gives("\"operation\":\"deleteMany\"",
          "{\"deletedCount\":2,\"result\":{\"deletedCount\":2},\"operationType\":\"deleteMany\"}");
}

/* More documents than a batch holds: the cursor is followed. */
static void cursors_are_followed(void **state)
{
    (void)state;
    AUTO_BUF struct buf rest;
    buf_init(&rest, 0);
    buf_add_str(&rest, "\"operation\":\"insertMany\",\"document\":[");
    for (int i = 0; i < 250; i++)
        buf_printf(&rest, "%s{\"_id\":%d,\"n\":%d}", i > 0 ? "," : "", i, i);
    buf_add_str(&rest, "]");
    AUTO_FREE char *insert = inputs(buf_str(&rest)), *find = inputs("\"operation\":\"find\",\"options\":{\"skip\":10}");
    struct node_run run;
    node_run(&run, "mongodb-operations", insert);
    assert_int_equal(run.code, ERR_OK);
    assert_int_equal(run.call.records, 250);
    node_run_done(&run);
    node_run(&run, "mongodb-operations", find);
    assert_int_equal(run.code, ERR_OK);
    assert_int_equal(json_count(json_get(run.call.outputs, "result")), 240);
    assert_int_equal(run.call.records, 240);
    node_run_done(&run);
    fails("\"operation\":\"insertOne\",\"document\":{\"_id\":7}", ERR_NODE, NULL, "duplicate key");
    fails("\"operation\":\"insertMany\",\"document\":[{\"_id\":\"new\"},{\"_id\":7}]", ERR_NODE, "document",
          "after 1 of 2");
    AUTO_FREE char *one = inputs("\"operation\":\"insertOne\",\"document\":{\"a\":1}");
    node_run(&run, "mongodb-operations", one);
    assert_int_equal(run.code, ERR_OK); /* an ObjectId is made for it */
    assert_int_equal(strlen(json_get_str(json_get(run.call.outputs, "result"), "insertedId")), 24);
    node_run_done(&run);
}

static void wrong_settings_are_named(void **state)
{
    (void)state;
    static const char no_address[] = "{\"database\":\"a\",\"collection\":\"b\",\"operation\":\"find\"}";
    node_assert_fails("mongodb-operations", no_address, ERR_VALIDATION, "connectionString", "required");
    node_assert_fails(
        "mongodb-operations",
        "{\"connectionString\":\"http://secret@x\",\"database\":\"a\",\"collection\":\"b\",\"operation\":\"find\"}",
        ERR_VALIDATION, "connectionString", "mongodb://user");
    fails("\"operation\":\"drop\"", ERR_VALIDATION, "operation", "findOne");
    fails("\"operation\":\"insertOne\"", ERR_VALIDATION, "document", "object");
    fails("\"operation\":\"insertOne\",\"document\":[{}]", ERR_VALIDATION, "document", "object");
    fails("\"operation\":\"insertMany\",\"document\":{}", ERR_VALIDATION, "document", "array");
    fails("\"operation\":\"insertMany\",\"document\":[{},7]", ERR_VALIDATION, "document[1]", "object");
    fails("\"operation\":\"updateOne\"", ERR_VALIDATION, "update", "required");
    fails("\"operation\":\"updateOne\",\"update\":{\"a\":1}", ERR_NODE, NULL, NULL); /* the library wants operators */
    fails("\"operation\":\"aggregate\"", ERR_VALIDATION, "pipeline", "array");
    fails("\"operation\":\"find\",\"query\":[]", ERR_VALIDATION, "query", "object");
    fails("\"operation\":\"find\",\"options\":{\"limit\":\"x\"}", ERR_VALIDATION, "options.limit", "integer");
}

static void bad_peers_are_named(void **state)
{
    (void)state;
    node_assert_fails(
        "mongodb-operations",
        "{\"connectionString\":\"mongodb://u:pass-word@127.0.0.1:1\",\"database\":\"a\",\"collection\":\"b\","
        "\"operation\":\"find\",\"options\":{\"retries\":1}}",
        ERR_NODE_RETRY, "connectionString", "could not be reached in 1 attempt:");
    mongo_server_set_mood(server, MONGO_ERROR);
    fails("\"operation\":\"find\"", ERR_NODE, NULL, "not authorized");
    mongo_server_set_mood(server, MONGO_SILENT);
    fails("\"operation\":\"find\",\"options\":{\"timeout\":300}", ERR_NODE_RETRY, NULL, "MongoDB");
    mongo_server_set_mood(server, MONGO_GARBAGE);
    fails("\"operation\":\"find\",\"options\":{\"timeout\":1000}", ERR_NODE, NULL, "Malformed message");
    mongo_server_set_mood(server, MONGO_FINE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(documents_come_and_go), cmocka_unit_test(cursors_are_followed),
                                       cmocka_unit_test(wrong_settings_are_named),
                                       cmocka_unit_test(bad_peers_are_named)};
    return cmocka_run_group_tests(tests, start, stop);
}
