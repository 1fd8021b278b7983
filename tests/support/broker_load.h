/* Messages through a broker that fails in the middle: all that was confirmed arrives. */
#pragma once
#define BROKER_LOAD_MESSAGES 3000

/* Publishes them to `queue` over url, and receives them; when half are confirmed, `fault` is called, once, on the loop.
 * Ends when all are confirmed and received; the queue is deleted. */
void broker_load_run(const char *url, const char *queue, void (*fault)(void *user), void *user);
