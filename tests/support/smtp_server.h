/* A small mail server for tests, one connection after the other. It refuses users by what their addresses begin with:
 * unknown@ (550), busy@ (451); silent@ as sender gets no answer, dropped@ a closed connection after the mail was sent.
 * With AUTH: user ana, password pass; or ana with the token tok. */
#pragma once
#include <stdbool.h>

struct test_smtp;

struct test_smtp *test_smtp_start(const char *greeting, const char *features); /* features: EHLO lines, "" for none */
int test_smtp_port(const struct test_smtp *server);
char *test_smtp_commands(struct test_smtp *server); /* lines so far, to be freed */
char *test_smtp_mail(struct test_smtp *server);     /* the last mail taken, to be freed */
void test_smtp_clear(struct test_smtp *server);
void test_smtp_stop(struct test_smtp *server);
