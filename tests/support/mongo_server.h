/* A MongoDB for tests: speaks the published wire protocol (OP_MSG, and OP_QUERY for the first hello) with one
 * collection in memory: find, getMore, insert, update ($set, $inc, whole documents are refused), delete, aggregate
 * ($match, $limit). */
#pragma once
#include <stdbool.h>

struct mongo_server;
struct mongo_server *mongo_server_start(void); /* 127.0.0.1, any free port */
int mongo_server_port(const struct mongo_server *server);
/* From now on each command is answered so: by an error of that code, by nothing at all, or by bytes that are none. */
enum mongo_mood { MONGO_FINE, MONGO_ERROR, MONGO_SILENT, MONGO_GARBAGE };
void mongo_server_set_mood(struct mongo_server *server, enum mongo_mood mood);
void mongo_server_stop(struct mongo_server *server);
