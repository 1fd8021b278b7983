/* Three nodes, one of which is killed in the middle of a load: the one that leads the queue, the one that the
 * connections are on. What was confirmed is there, and what was not is sent again. */
#include "base/mem.h"
#include "broker/broker.h"
#include "support/broker_load.h"
#include "support/rabbitmq.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HANG_SECONDS 560 /* the whole program is ended then: something never came */
#define NODES 3

struct fault {
    struct test_rabbitmq *server;
    const char *queue;
    unsigned leader, connected; /* found out in the middle */
    bool of_leader;
};

/* What rabbitmqctl prints, the node whose name stands in it. */
static unsigned node_in(const struct test_rabbitmq *server, const char *arguments, const char *line_with)
{
    AUTO_FREE char *text = test_rabbitmq_ask(server, 2, arguments);
    char *rest = text;
    for (char *line; (line = strtok_r(rest, "\n", &rest)) != NULL;) {
        const char *node = strstr(line, "node");
        if (strstr(line, line_with) != NULL && node != NULL && node[4] >= '0' && node[4] < '0' + NODES)
            return (unsigned)(node[4] - '0');
    }
    fail_msg("rabbitmqctl %s names no node for %s: %s", arguments, line_with, text);
    return 0;
}

static void kill_one(void *user)
{
    struct fault *fault = user;
    fault->leader = node_in(fault->server, "-q list_queues leader name", fault->queue);
    fault->connected = node_in(fault->server, "-q list_connections pid user", "guest");
    test_rabbitmq_kill(fault->server, fault->of_leader ? fault->leader : fault->connected);
}

/* A queue is led by the node that it was declared on. */
static void declare_on_first(const struct test_rabbitmq *server, const char *queue)
{
    struct broker *broker;
    struct error error = {0};
    struct loop *loop = loop_new();
    AUTO_FREE char *url = test_rabbitmq_url_from(server, 0);
    assert_int_equal(broker_open(url, "faults", &broker, &error), ERR_OK);
    struct broker_connection *connection = broker_connect(broker, loop);
    if (broker_declare(connection, queue, &(struct broker_queue_options){0}, &error) != ERR_OK)
        fail_msg("%s", error.message);
    broker_disconnect(connection);
    broker_close(broker);
    loop_free(loop);
}

static void the_leader_of_the_queue_dies(void **state)
{
    struct fault fault = {.server = *state, .queue = "led", .of_leader = true};
    declare_on_first(fault.server, fault.queue);
    AUTO_FREE char *url = test_rabbitmq_url_from(fault.server, 1);
    broker_load_run(url, fault.queue, kill_one, &fault);
    assert_int_not_equal(fault.leader, fault.connected); /* the connections stay, the queue goes to another node */
    test_rabbitmq_restart(fault.server, fault.leader);
}

static void the_node_of_the_connections_dies(void **state)
{
    struct fault fault = {.server = *state, .queue = "reached"};
    declare_on_first(fault.server, fault.queue);
    AUTO_FREE char *url = test_rabbitmq_url_from(fault.server, 1);
    broker_load_run(url, fault.queue, kill_one, &fault);
    assert_int_not_equal(fault.leader, fault.connected); /* the queue stays, the connections go to another node */
    AUTO_FREE char *dead_first = test_rabbitmq_url_from(fault.server, fault.connected);
    broker_load_run(dead_first, "begun without it", NULL, NULL); /* an address where nobody is costs nothing else */
    test_rabbitmq_restart(fault.server, fault.connected);
}

int main(void)
{
    (void)alarm(HANG_SECONDS);
    struct test_rabbitmq *server = test_rabbitmq_start(NODES);
    const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(the_leader_of_the_queue_dies, server),
                                       cmocka_unit_test_prestate(the_node_of_the_connections_dies, server)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_rabbitmq_stop(server);
    return failed;
}
