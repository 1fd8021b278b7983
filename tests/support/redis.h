/* Real Redis servers for tests: one, or a cluster of three masters; on ports of their own, keeping nothing. */
#pragma once

struct test_redis;
struct test_redis *test_redis_start(unsigned nodes); /* 1, or a cluster of so many */
const char *test_redis_url(const struct test_redis *server);
int test_redis_port(const struct test_redis *server, unsigned node);
void test_redis_kill(struct test_redis *server, unsigned node);
void test_redis_restart(struct test_redis *server, unsigned node); /* after kill, on the same port, empty */
/* Moves every slot of a node that has keys, with its keys, and the others to `to`. */
void test_redis_move_all(struct test_redis *server, unsigned from, unsigned to);
void test_redis_stop(struct test_redis *server); /* NULL ok */
