/* What tests of an orchestrator or a worker alone stand on: a store and a broker in memory, on a virtual clock. */
#pragma once
#include "broker/broker.h"
#include "store/store.h"
#include "worker/worker.h"

#define KIT_START_MS INT64_C(1750000000000)
#define KIT_EXECUTION "01a20f48-c81a-78e6-8438-9674670d7159"
#define KIT_FLOW "01a20f48-c7e6-7aac-8e22-94bbacee6be7"
#define KIT_TRIGGER                                                                                                    \
    "{\"id\":\"start\",\"type\":\"manual-trigger\",\"version\":\"1.0.0\",\"config\":{},\"position\":{\"x\":0,\"y\":0}" \
    "}"

struct engine_kit {
    struct loop *loop;
    struct store *store;
    struct broker *broker;
    struct broker_connection *connection;
    int64_t now;
};

/* The store holds KIT_FLOW with these nodes and connections (JSON arrays), and no execution. */
void engine_kit_open(struct engine_kit *kit, const char *nodes, const char *connections);
void engine_kit_insert(struct engine_kit *kit); /* KIT_EXECUTION of that flow */
/* A worker "w" with room for ten that is up; its events (one shard) come to on_events. host may be NULL. Yours, to be
 * freed before the kit is closed. */
struct worker *engine_kit_worker(struct engine_kit *kit, struct node_host *host, broker_delivery_fn on_events,
                                 void *user);
void engine_kit_step(struct engine_kit *kit); /* whatever is due now */
void engine_kit_pass(struct engine_kit *kit, int64_t ms);
/* A person's word on KIT_EXECUTION over TOPIC_CONTROL (pause, resume, cancel), and a moment for it to be heard. */
void engine_kit_say(struct engine_kit *kit, const char *verb);
void engine_kit_close(struct engine_kit *kit); /* after what runs on it */
