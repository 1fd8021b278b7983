/* Real RabbitMQ servers for tests: one, or a cluster; with their own ports, names, folders, cookie and epmd, stopped
 * with the test. */
#pragma once
#include <stdbool.h>

struct test_rabbitmq;
struct test_rabbitmq *test_rabbitmq_start(unsigned nodes);                        /* until all of them answer */
const char *test_rabbitmq_url(const struct test_rabbitmq *server);                /* of all nodes */
char *test_rabbitmq_url_from(const struct test_rabbitmq *server, unsigned first); /* that node's first; yours */
int test_rabbitmq_port(const struct test_rabbitmq *server, unsigned node);
void test_rabbitmq_kill(struct test_rabbitmq *server, unsigned node);    /* SIGKILL */
void test_rabbitmq_restart(struct test_rabbitmq *server, unsigned node); /* after kill; until it answers */
void test_rabbitmq_ctl(const struct test_rabbitmq *server, unsigned node, const char *arguments);
char *test_rabbitmq_ask(const struct test_rabbitmq *server, unsigned node, const char *arguments); /* what it prints */
void test_rabbitmq_stop(struct test_rabbitmq *server);                                             /* NULL ok */
