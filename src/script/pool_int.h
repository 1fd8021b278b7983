/* The pool's inner structures. */
#pragma once
#include "script/frame.h"
#include "script/runner_spawn.h"
#include "script/script.h"

struct script_call {
    struct script_call *next;
    struct script_pool *pool;
    struct runner_process *runner; /* NULL: in the pool's queue */
    uint32_t id;
    struct buf frame; /* as it goes to a runner */
    int64_t timeout_ms;
    script_done_fn *done;
    void *user;
    bool retried;   /* its first runner crashed
                     * (one of JavaScriptCore's own defects, or memory that ran out): it has one more try */
    bool abandoned; /* aborted or given to another runner: nobody wants to know, but its answer is still to come */
};

/* Calls in order; the first one of a runner is the one it works at. */
struct call_list {
    struct script_call *first, **last;
    unsigned count;
};
void call_list_init(struct call_list *list);
void call_list_push(struct call_list *list, struct script_call *call);
void call_list_push_front(struct call_list *list, struct script_call *call);
void call_list_remove(struct call_list *list, struct script_call *call);
void call_list_replace(struct call_list *list, struct script_call *call, struct script_call *by);

enum runner_state { RUNNER_STARTING, RUNNER_READY, RUNNER_RETIRED, RUNNER_KILLED };
enum kill_reason { KILL_NONE, KILL_TIME, KILL_MEMORY, KILL_START, KILL_PROTOCOL, KILL_UNWANTED };

struct runner_process {
    struct runner_process *next;
    struct script_pool *pool;
    struct spawned process;
    enum runner_state state;
    enum kill_reason reason;
    struct loop_watch *socket_watch, *exit_watch;
    struct buf in, out;
    size_t out_at;
    bool idle; /* nothing was on its way when the first of the calls was added that wait for a flush */
    struct call_list calls;
    int64_t since_us;    /* when it began with the first call, or was started */
    uint32_t seen_call;  /* the call that it worked at when it was last looked at */
    int64_t seen_cpu_us; /* and its processor time when it was first seen at that call */
    bool slow;           /* its first call takes long: no more are given to it */
    char *refusal;       /* why it cannot work */
};

struct script_pool {
    struct script_options options;
    char *program;
    struct runner_process *runners;
    unsigned runner_count;
    struct call_list queue;
    struct loop_timer *look_timer, *pump_timer;
    bool looking, pumping;
    uint32_t last_id;
    struct script_stats stats;
};

/* pool.c */
void pool_give(struct script_pool *pool); /* calls of the queue to runners */
void script_call_free(struct script_call *call);
void script_call_finish(struct script_call *call, const struct script_answer *answer); /* frees it */
void script_call_fail(struct script_call *call, enum err code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* runner_process.c */
struct runner_process *runner_process_new(struct script_pool *pool, struct error *reterr);
void runner_process_free(struct runner_process *runner); /* kills it; its calls must be gone */
void runner_process_send(struct runner_process *runner, struct script_call *call); /* goes out by flush */
void runner_process_flush(struct runner_process *runner); /* what was given at a time goes out together */
/* Takes the call out; a ghost stands in its place until the runner has told whether it had begun with it. */
void runner_process_cancel(struct runner_process *runner, struct script_call *call);
void runner_process_kill(struct runner_process *runner, enum kill_reason reason);
void runner_process_look(struct runner_process *runner, int64_t now_us); /* has it worked too long, is it too big? */
