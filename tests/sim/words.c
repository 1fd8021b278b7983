/* What becomes of broadcasts, which nobody keeps: one listener does not hear a word, or all hear it late, behind what
 * was said after it. tests/CMakeLists.txt leads what is said and heard through here. */
#include "sim.h"

#include "base/mem.h"
#include "broker/messages.h"
#include <stdlib.h>
#include <string.h>

#define LATE_MS 4000

typedef void (*hear_fn)(void *user, const void *body, size_t size);

/* Who listens. Kept until the history is over: its connection may still have something for it when it is gone. */
struct sim_listener {
    struct sim_listener *next;
    struct sim *sim;
    hear_fn hear;
    void *user;
};

struct sim_late_word {
    struct sim_late_word *next;
    int64_t due;
    char *topic;
    size_t size;
    char body[];
};

void __real_broker_subscribe(struct broker_connection *connection, const char *topic, hear_fn hear, void *user);
void __wrap_broker_subscribe(struct broker_connection *connection, const char *topic, hear_fn hear, void *user);
void __real_broker_broadcast(struct broker_connection *connection, const char *topic, const void *body, size_t size);
void __wrap_broker_broadcast(struct broker_connection *connection, const char *topic, const void *body, size_t size);

/* Whoever did not hear in time what a person said cannot keep to it. */
static void note_unheard(struct sim *sim, const void *body, size_t size)
{
    static const char *const verbs[] = {"cancel", "pause"};
    AUTO_JSON struct json *message = message_parse_topic(body, size);
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        const char *id = json_get_str(message, verbs[i]);
        struct sim_execution *execution = id == NULL ? NULL : sim_find(sim, id);
        if (execution != NULL)
            execution->unheard = true;
    }
}

static void on_word(void *user, const void *body, size_t size)
{
    struct sim_listener *listener = user;
    struct sim *sim = listener->sim;
    if (sim->quiet || !sim_chance(&sim->fault_rng, sim->deaf_percent)) {
        listener->hear(listener->user, body, size);
        return;
    }
    sim->unheard++;
    sim_trace(sim, "not heard by one: %.*s", (int)(size < 120 ? size : 120), (const char *)body);
    note_unheard(sim, body, size);
}

void __wrap_broker_subscribe(struct broker_connection *connection, const char *topic, hear_fn hear, void *user)
{
    struct sim *sim = sim_watched();
    if (sim == NULL) {
        __real_broker_subscribe(connection, topic, hear, user);
        return;
    }
    struct sim_listener *listener = mem_alloc(sizeof *listener);
    *listener = (struct sim_listener){.next = sim->listeners, .sim = sim, .hear = hear, .user = user};
    sim->listeners = listener;
    __real_broker_subscribe(connection, topic, on_word, listener);
}

void __wrap_broker_broadcast(struct broker_connection *connection, const char *topic, const void *body, size_t size)
{
    struct sim *sim = sim_watched();
    if (sim == NULL || sim->quiet || !sim_chance(&sim->fault_rng, sim->late_percent)) {
        __real_broker_broadcast(connection, topic, body, size);
        return;
    }
    struct sim_late_word *word = mem_alloc(sizeof *word + size);
    word->due = sim->now + 1 + (int64_t)rng_below(&sim->fault_rng, LATE_MS);
    word->topic = mem_dup(topic);
    word->size = size;
    memcpy(word->body, body, size);
    word->next = sim->late_words;
    sim->late_words = word;
    sim->late++;
    sim_trace(sim, "late: %.*s", (int)(size < 120 ? size : 120), (const char *)body);
    note_unheard(sim, body, size);
}

int64_t sim_words_due(const struct sim *sim)
{
    int64_t due = INT64_MAX;
    for (const struct sim_late_word *word = sim->late_words; word != NULL; word = word->next)
        due = word->due < due ? word->due : due;
    return due;
}

static void late_word_free(struct sim_late_word *word)
{
    free(word->topic);
    free(word);
}

void sim_words_step(struct sim *sim)
{
    struct sim_late_word **place = &sim->late_words;
    while (*place != NULL && (*place)->due > sim->now)
        place = &(*place)->next;
    struct sim_late_word *word = *place;
    if (word == NULL)
        return;
    *place = word->next;
    __real_broker_broadcast(sim->gateway, word->topic, word->body, word->size);
    late_word_free(word);
}

void sim_words_forget(struct sim *sim)
{
    while (sim->late_words != NULL) {
        struct sim_late_word *word = sim->late_words;
        sim->late_words = word->next;
        late_word_free(word);
    }
}

void sim_words_done(struct sim *sim)
{
    sim_words_forget(sim);
    while (sim->listeners != NULL) {
        struct sim_listener *listener = sim->listeners;
        sim->listeners = listener->next;
        free(listener);
    }
}
