/* A run on a stage: what it commands is written as text, "b@0" is node b in iteration 0: "start b@0", "keep b@1
 * success", "abort b@0", "drop <child>", "end success"; checkpoints are kept, so that it can go on from them. */
#pragma once
#include "flow/run.h"

#define T0 1000000 /* when it begins */
#define RUNNING_MAX 300

struct running {
    unsigned scope, node;
    int attempt;
    char name[120];
    struct json *inputs;
};

struct kept_checkpoint {
    struct run_checkpoint point;
    char name[140];
};

struct stage {
    struct flow *flow;
    struct flow_run *run;
    int64_t now_ms;
    struct buf seen;
    struct running running[RUNNING_MAX];
    unsigned running_count;
    struct kept_checkpoint kept[RUNNING_MAX];
    unsigned kept_count;
};

/* nodes, connections, settings: as kit_flow_of takes them. Texts of JSON have ' for ". Names are "b@0". */
void stage_begin(struct stage *s, struct run_options options, const char *input);
struct stage *stage_new(const char *nodes, const char *connections, const char *settings);
void stage_forget_running(struct stage *s);
void stage_free(struct stage *s);
void stage_advance(struct stage *s, struct run_event event);
void stage_start(struct stage *s);
void stage_done(struct stage *s, const char *name, const char *outputs);
void stage_failed(struct stage *s, const char *name);
void stage_waits(struct stage *s, const char *name, int64_t wake_ms, const char *waiting, const char *outputs);
void stage_signalled(struct stage *s, int64_t id, bool of_child, const char *name, const char *payload);
void stage_time_is(struct stage *s, int64_t now_ms);
void stage_crash(struct stage *s); /* a new run, with the checkpoints of the former; to be started */
void stage_inputs_are(const struct stage *s, const char *name, const char *expected);
void stage_result_is(const struct stage *s, const char *expected);
void stage_error_is(const struct stage *s, enum err code, const char *message);

#define SEEN(s, expected)                                                                                              \
    do {                                                                                                               \
        assert_string_equal(buf_str(&(s)->seen), expected);                                                            \
        buf_clear(&(s)->seen);                                                                                         \
    } while (0)
