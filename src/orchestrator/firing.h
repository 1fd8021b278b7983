/* What a schedule that is due, or a backfill, does in the store: one repeatable write. On the store's writer thread;
 * knows no loop and no broker. */
#pragma once
#include "base/clock.h"
#include "flow/schedule.h"
#include "store/store.h"

#define FIRING_ID_BYTES 128

struct firing_start {
    char id[ID_TEXT_BYTES]; /* of the execution; follows from schedule and instant */
    int64_t instant_ms;
};
struct firing {
    char schedule_id[FIRING_ID_BYTES];
    char backfill_id[FIRING_ID_BYTES]; /* "": its own instants */
    int64_t next_ms;                   /* the schedule's next instant as it was read: if it is another one now, somebody
                                          else has fired it */
    int64_t now_ms, window_ms;
    /* Results. */
    char flow_id[FIRING_ID_BYTES];
    struct store_flow_start flow;
    struct firing_start starts[SCHEDULE_STEPS_MAX]; /* to be submitted */
    size_t start_count, inserted;                   /* inserted: those that wait for their turn too */
    struct json *cancelled;                         /* ids of executions that made room; or NULL */
};
enum err firing_write(struct store_session *session, struct firing *firing, struct error *reterr) ERROR_MUST_CHECK;
void firing_done(struct firing *firing);

/* The execution of one start, as it was inserted; `input` must live as long. */
#define FIRING_INPUT_BYTES 512
void firing_row(const struct firing *firing, const struct firing_start *start, char input[FIRING_INPUT_BYTES],
                struct store_execution *ret);
