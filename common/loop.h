/** @file The process's one loop, on libevent: one clock reading per wake, timers as deadlines, signals, sockets.
 *
 * Callbacks run on the loop's thread. The clock is read when `loop_now` is first asked in a wake, and the answer stays
 * the same until the next wake, so that all decisions of one wake agree on the time. This holds for callbacks of
 * libevent objects made with `loop_base` too. A wake is: sockets and signals, timers that are due, what
 * `loop_after_wake` asked for, what was deferred before; what is deferred by a deferred one starts the next wake.
 */
#pragma once
#include "common/core/clock.h"
#include "common/core/err.h"
#include "common/core/rng.h"
#include <stdbool.h>

struct event_base;
struct loop;

struct loop *loop_new(void); /**< NULL: no memory */
void loop_free(struct loop *l);
DEFINE_AUTO(struct loop, loop_free);
struct event_base *loop_base(struct loop *l); /**< for the shell's own libevent objects */
const struct now *loop_now(const struct loop *l);
/** The monotonic clock at this very moment, on any thread: to measure how long something takes, never for a decision. */
uint64_t loop_measure_us(void);
/** Read the clock again now: only after something slow (start-up), never inside a decision. */
void loop_refresh(struct loop *l);
/** Serve until loop_stop. @return 0; -EIO */
int loop_run(struct loop *l);
void loop_stop(struct loop *l);
/** Run fn once, at the end of this wake (or at once when the loop starts). @return 0; -ENOMEM */
int loop_defer(struct loop *l, void (*fn)(void *ctx), void *ctx);
/** Run fn at every wake after its events: where cores are stepped and batches flushed. @return 0; -ENOMEM */
int loop_after_wake(struct loop *l, void (*fn)(void *ctx), void *ctx);

/** Take back every loop_defer and loop_after_wake of this fn and ctx; for objects that end before the loop. */
void loop_forget(struct loop *l, void (*fn)(void *ctx), void *ctx);

struct loop_timer;
struct loop_timer *loop_timer_new(struct loop *l, void (*fn)(void *ctx), void *ctx);
void loop_timer_free(struct loop_timer *t);
/** Fire once at mono_us (now, if that is past); UINT64_MAX: not at all. Setting again moves it. Cheap if unchanged. */
void loop_timer_at(struct loop_timer *t, uint64_t mono_us);
void loop_timer_in(struct loop_timer *t, uint64_t delay_us);

struct loop_watch;
/** Call fn whenever fd is readable. fd stays the caller's. */
struct loop_watch *loop_watch_read(struct loop *l, int fd, void (*fn)(int fd, void *ctx), void *ctx);
void loop_watch_free(struct loop_watch *w);
/** Call fn on a signal. */
int loop_on_signal(struct loop *l, int signo, void (*fn)(int signo, void *ctx), void *ctx);

/** The kernel's randomness. */
struct rng loop_rng(void);
