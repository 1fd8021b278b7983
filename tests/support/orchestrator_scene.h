/* An orchestrator alone on stage, one of several, with a worker "w" that the test plays. */
#pragma once
#include "orchestrator/orchestrator.h"
#include "support/engine_kit.h"

#define SCENE_TIMEOUT_MS 5000 /* after which a worker is silent */

struct scene {
    struct engine_kit kit;
    struct orchestrator *orchestrator;
    int epoch;   /* of the work that came last */
    bool paused; /* what it said of it */
    int active, progress;
    bool refuses; /* the work that comes is given back */
};

/* An orchestrator that has just started, with its worker. `submitted`: KIT_EXECUTION, accepted at created_ms, already
 * waits for it. */
void scene_begin(struct scene *scene, bool submitted, int64_t created_ms);
void scene_submit(struct scene *scene, int64_t created_ms);
void scene_until_work(struct scene *scene); /* the worker has got some */
/* KIT_EXECUTION is with the worker, at epoch 2. */
void scene_open(struct scene *scene);
void scene_close(struct scene *scene);
void scene_report(struct scene *scene); /* the worker's, that it is there and has so many under way */
void scene_expect(const struct scene *scene, size_t in_flight, uint64_t reassigned);
