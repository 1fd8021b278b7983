/* An event loop as seen by those who run on it: time, timers, posted calls. Two kinds: libuv on a thread, and a virtual
 * clock for the simulator. All callbacks run on the loop's thread; only loop_post may be called from others. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void (*loop_fn)(void *user);
struct loop;
struct loop_timer;
struct loop_watch;

struct loop *loop_new(void);       /* libuv; loop_run on the thread that shall own it */
void loop_run(struct loop *loop);  /* until loop_stop; pending posts are run before it returns; may be called again */
void loop_stop(struct loop *loop); /* from any thread; before loop_run: that returns at once; virtual: nothing */
void loop_free(struct loop *loop); /* after loop_run returned; posts still pending are dropped */

int64_t loop_now_ms(const struct loop *loop); /* wall clock in ms; fresh, not cached */
int64_t loop_monotonic_us(const struct loop *loop);
void loop_post(struct loop *loop, loop_fn fn, void *user); /* any thread; in order per caller */
void loop_unpost(struct loop *loop, loop_fn fn,
                 void *user); /* forgets such posts; the loop's thread, or the loop stopped */

struct loop_timer *loop_timer_new(struct loop *loop, loop_fn fn, void *user);
void loop_timer_set(struct loop_timer *timer, int64_t delay_ms); /* once; replaces; < 0 disarms */
void loop_timer_free(struct loop_timer *timer);                  /* NULL ok; never fires after */

/* Readiness of a file descriptor (for libcurl). events: 1 readable, 2 writable. */
typedef void (*loop_watch_fn)(void *user, int fd, int events);
struct loop_watch *loop_watch_new(struct loop *loop, int fd, int events, loop_watch_fn fn, void *user);
void loop_watch_set(struct loop_watch *watch, int events);
void loop_watch_free(struct loop_watch *watch);

/* The virtual loop: nothing happens but in loop_virtual_step, which runs the next due call, in (time, order of
 * arrival). */
struct loop *loop_virtual_new(int64_t start_ms);
bool loop_virtual_step(struct loop *loop,
                       int64_t until_ms); /* false: nothing left before until_ms (time moves there) */
int64_t loop_virtual_due_ms(
    const struct loop *loop); /* when the next call is due, on the clock of loop_virtual_new; INT64_MAX: none */
void loop_virtual_jump(struct loop *loop, int64_t by_ms); /* wall clock jumps; timers (monotonic) do not */
void loop_virtual_post_at(struct loop *loop, int64_t delay_ms, loop_fn fn, void *user);
