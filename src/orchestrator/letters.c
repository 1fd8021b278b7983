/* Dead letters: what nobody could read, or was given back too often, is kept in the store for a person. It is
 * acknowledged when its row is committed; who dies between the two makes it come, and be listed, twice. */
#include "orchestrator/orchestrator_int.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "broker/queues.h"
#include <stdlib.h>
#include <string.h>

#define LETTERS_AT_ONCE 4 /* a message may be large */
#define LETTER_AGAIN_MS 1000

struct letter {
    struct letter *next, **place;
    struct orchestrator *orchestrator;
    struct json *document;
    int64_t now_ms;
    uint64_t tag;
    bool under_way; /* the store has it now */
    enum err code;
    struct error error;
};

static void letter_free(struct letter *letter)
{
    *letter->place = letter->next;
    if (letter->next != NULL)
        letter->next->place = letter->place;
    json_unref(letter->document);
    free(letter);
}

/* A former try may have been committed without our knowing, and a person may have closed the letter since. */
enum err letter_put(struct store_session *session, const struct json *letter, int64_t now_ms, struct error *reterr)
{
    const char *id = json_get_str(letter, "id");
    AUTO_JSON struct json *present = NULL;
    enum err code = store_get(session, STORE_DEAD_LETTERS, id, &present, reterr);
    return code == ERR_NOT_FOUND ? store_put(session, STORE_DEAD_LETTERS, id, letter, now_ms, reterr) : code;
}

static enum err write_letter(struct store_session *session, void *arg, struct error *reterr)
{
    struct letter *letter = arg;
    return letter_put(session, letter->document, letter->now_ms, reterr);
}

static void on_written(void *user)
{
    struct letter *letter = user;
    struct orchestrator *o = letter->orchestrator;
    letter->under_way = false;
    if (letter->code != ERR_OK) {
        atomic_fetch_add(&o->failed_writes, 1);
        log_event(LOG_WARN, "a dead letter cannot be kept yet", LOG_CAUSE(&letter->error), LOG_END);
        loop_timer_set(o->letter_timer, LETTER_AGAIN_MS);
        return;
    }
    broker_ack(o->dead_consumer, letter->tag);
    letter_free(letter);
}

/* On the store's writer thread. */
static void on_committed(void *user, enum err code, const struct error *error)
{
    struct letter *letter = user;
    letter->code = code;
    if (error != NULL)
        letter->error = *error;
    loop_post(letter->orchestrator->options.loop, on_written, letter);
}

static void write_waiting(void *user)
{
    struct orchestrator *o = user;
    for (struct letter *letter = o->letters; letter != NULL; letter = letter->next) {
        if (letter->under_way)
            continue;
        letter->under_way = true;
        store_write_async(o->options.store, write_letter, letter, on_committed, letter);
    }
}

static bool is_text(const char *bytes, size_t n)
{
    uint32_t code_point = 1;
    size_t at = 0, length = 1;
    while (at < n && length > 0) {
        length = utf8_decode(bytes + at, n - at, &code_point);
        if (code_point == 0)
            length = 0; /* a text in a database cannot have it */
        at += length;
    }
    return at == n && length > 0;
}

static void set_payload(struct json *document, const char *bytes, size_t n)
{
    bool whole = n <= DEAD_LETTER_BYTES, text = whole && is_text(bytes, n);
    struct buf payload;
    buf_init(&payload, 0);
    if (text)
        buf_add(&payload, bytes, n);
    else
        base64_add(&payload, bytes, whole ? n : DEAD_LETTER_BYTES);
    json_set_str(document, "payload", buf_str(&payload));
    json_set_str(document, "payloadEncoding", text ? "text" : "base64");
    json_set_int(document, "payloadBytes", (int64_t)n);
    json_set_bool(document, "payloadTruncated", !whole);
    buf_done(&payload);
}

/* The broker says only that it was rejected: what is wrong with it is found once more. */
static void set_reason(struct json *document, const struct broker_delivery *delivery)
{
    AUTO_JSON struct json *message = NULL;
    struct error error = {0};
    const char *dead = delivery->dead_reason == NULL ? "unknown" : delivery->dead_reason;
    AUTO_FREE char *other = mem_printf("The broker gave it up: %s.", dead);
    enum err code = message_parse(delivery->body, delivery->size, &message, &error);
    const struct json *list = json_get(message, json_has(message, "work") ? "work" : "events");
    if (json_count(list) == 1)
        json_set_str(document, "executionId", json_get_str(json_at(list, 0), "id"));
    if (strcmp(dead, "delivery_limit") == 0)
        json_set_str(document, "reason", "It was given back unhandled more often than the delivery limit allows.");
    else
        json_set_str(document, "reason", code == ERR_OK ? other : error.message);
}

static struct json *document_new(const char *id, int64_t now_ms)
{
    char at[ISO_TEXT_BYTES];
    struct json *document = json_object_new();
    clock_format_iso(now_ms, at);
    json_set_str(document, "id", id);
    json_set_str(document, "status", "open");
    json_set_str(document, "createdAt", at);
    return document;
}

/* It names no queue: the execution is final, and what would be sent again moves nothing. */
struct json *letter_of_lost(const struct orchestrator *o, const struct json *item, const char *reason)
{
    char id[ID_TEXT_BYTES];
    id_new(id);
    struct json *document = document_new(id, loop_now_ms(o->options.loop));
    AUTO_BUF struct buf body;
    buf_init(&body, 0);
    message_begin(&body, "work");
    json_print(item, &body);
    message_end(&body);
    json_set_int(document, "priority", json_get_int(item, "priority", 1));
    json_set_str(document, "executionId", json_get_str(item, "id"));
    json_set_str(document, "reason", reason);
    set_payload(document, body.data, body.len);
    return document;
}

static void on_dead(void *user, struct broker_consumer *consumer, const struct broker_delivery *delivery)
{
    (void)consumer;
    struct orchestrator *o = user;
    struct letter *letter = mem_alloc(sizeof *letter);
    *letter = (struct letter){.orchestrator = o,
                              .tag = delivery->tag,
                              .next = o->letters,
                              .place = &o->letters,
                              .now_ms = loop_now_ms(o->options.loop)};
    if (letter->next != NULL)
        letter->next->place = &letter->next;
    o->letters = letter;
    char id[ID_TEXT_BYTES];
    id_new(id);
    letter->document = document_new(id, letter->now_ms);
    if (delivery->dead_from != NULL)
        json_set_str(letter->document, "queue", delivery->dead_from);
    json_set_int(letter->document, "priority", delivery->priority);
    set_reason(letter->document, delivery);
    set_payload(letter->document, delivery->body, delivery->size);
    loop_timer_set(o->letter_timer, 0);
}

void letters_start(struct orchestrator *o)
{
    o->letter_timer = loop_timer_new(o->options.loop, write_waiting, o);
    o->dead_consumer = broker_consume(o->connection, QUEUE_DEAD, LETTERS_AT_ONCE, on_dead, o);
}

bool letters_are_busy(const struct orchestrator *o)
{
    return o->letters != NULL;
}

void letters_free(struct orchestrator *o)
{
    while (o->letters != NULL) {
        loop_unpost(o->options.loop, on_written, o->letters); /* committed, and not heard of yet */
        letter_free(o->letters);
    }
    loop_timer_free(o->letter_timer);
}
