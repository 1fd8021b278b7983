/* How many workers there shall be. Pure: time is a parameter. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct scaling_rules {
    unsigned min, max;
    uint64_t high_mark, low_mark; /* waiting executions: more workers above, perhaps fewer up to the low one */
    int64_t cooldown_ms;          /* it must have been calm for so long before some are taken away */
};

/* What is seen at a moment. */
struct scaling_view {
    int64_t now_ms;
    unsigned workers;     /* that take work */
    uint64_t slots, busy; /* of these: executions they may run, and run; a full worker counts as busy */
    uint64_t waiting;     /* executions that wait for a worker */
    unsigned coming;      /* workers that were called for, by this leader or one before it, and have not reported yet */
    unsigned doubtful;    /* that take nothing now (late, cut off, hanging) but may come back */
    bool gathering;       /* some may not have been heard of yet: nothing is decided, nobody started */
};

enum scaling_reason {
    SCALING_STEADY,      /* nothing is to be changed */
    SCALING_MINIMUM,     /* there were fewer than the minimum */
    SCALING_MAXIMUM,     /* there were more than the maximum */
    SCALING_QUEUE,       /* more wait than the high mark */
    SCALING_UTILISATION, /* something waits, and hardly a slot is free */
    SCALING_IDLE         /* it has been calm for the whole cool-down */
};
const char *scaling_reason_name(enum scaling_reason reason);

/* Zeroed at first; begins with the workers that there are, or are coming, or may come back. */
struct scaling_state {
    bool known;
    unsigned target;
    int64_t pressed_ms, calm_ms; /* since when; 0: not */
    int64_t changed_ms;
};

/* Sets state->target and says why it changed. Grows at most to the double at a time, and again when those have come or
 * had SCALING_SETTLE_MS to come; shrinks at most to half, and again after another cool-down. Between the two there is a
 * band in which nothing happens, so the same load never makes it grow and shrink in turn. */
#define SCALING_SETTLE_MS 10000
enum scaling_reason scaling_decide(struct scaling_state *state, const struct scaling_rules *rules,
                                   const struct scaling_view *view);

/* How many workers are to be started now: as many as the target lacks, but never so many that there would be more than
 * the maximum if all that are in doubt came back. */
unsigned scaling_starts(const struct scaling_state *state, const struct scaling_rules *rules,
                        const struct scaling_view *view);
