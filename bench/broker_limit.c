/* What the broker alone does with the messages of a flow: published persistently with confirms into quorum queues,
 * delivered, acknowledged. Prints flows a second:
 * bench_broker_limit PORT SECONDS KIND…, where a KIND is NAME:QUEUES:MESSAGES_PER_FLOW:BYTES. */
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PUBLISHERS 2
#define CONSUMERS 2
#define KINDS_MAX 8
#define UNCONFIRMED_MAX 1024 /* of a publisher */
#define AHEAD_MAX 4096       /* published, and not yet consumed */
#define PREFETCH 250
#define FRAME_BYTES 131072

struct kind {
    char name[32];
    unsigned queues;
    double per_flow;
    size_t bytes;
};

static struct kind kinds[KINDS_MAX];
static size_t kind_count;
static int port;
static double ends_at;
static atomic_ulong published, consumed;
static atomic_bool done;

static double now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void expect(bool good, const char *what)
{
    if (good)
        return;
    (void)fprintf(stderr, "bench_broker_limit: %s failed\n", what);
    exit(1);
}

static void expect_answer(amqp_connection_state_t connection, const char *what)
{
    expect(amqp_get_rpc_reply(connection).reply_type == AMQP_RESPONSE_NORMAL, what);
}

static amqp_connection_state_t connect_to(void)
{
    amqp_connection_state_t connection = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(connection);
    expect(amqp_socket_open(socket, "127.0.0.1", port) == AMQP_STATUS_OK, "connecting");
    expect(amqp_login(connection, "/", 0, FRAME_BYTES, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest").reply_type ==
               AMQP_RESPONSE_NORMAL,
           "the login");
    return connection;
}

static void name_queue(const struct kind *kind, unsigned number, char out[64])
{
    (void)snprintf(out, 64, "limit.%s.%u", kind->name, number);
}

static void declare_all(amqp_connection_state_t connection, bool gone)
{
    amqp_table_entry_t quorum = {.key = amqp_cstring_bytes("x-queue-type"),
                                 .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes("quorum")}};
    amqp_table_t arguments = {.num_entries = 1, .entries = &quorum};
    (void)amqp_channel_open(connection, 1);
    expect_answer(connection, "opening a channel");
    for (size_t k = 0; k < kind_count; k++)
        for (unsigned i = 0; i < kinds[k].queues; i++) {
            char name[64];
            name_queue(&kinds[k], i, name);
            if (gone)
                (void)amqp_queue_delete(connection, 1, amqp_cstring_bytes(name), 0, 0);
            else
                (void)amqp_queue_declare(connection, 1, amqp_cstring_bytes(name), 0, 1, 0, 0, arguments);
            expect_answer(connection, name);
        }
}

/* ---- publishing */

struct publisher {
    amqp_connection_state_t connection;
    uint64_t next, oldest; /* tags: the next one, and the first that is not confirmed */
    bool confirmed[2 * UNCONFIRMED_MAX];
};

/* Waits for a frame for so long. */
static void read_confirms(struct publisher *p, struct timeval wait)
{
    amqp_frame_t frame;
    int status;
    while ((status = amqp_simple_wait_frame_noblock(p->connection, &frame, &wait)) == AMQP_STATUS_OK) {
        expect(frame.frame_type == AMQP_FRAME_METHOD && frame.payload.method.id == AMQP_BASIC_ACK_METHOD, "a confirm");
        const amqp_basic_ack_t *ack = frame.payload.method.decoded;
        for (uint64_t tag = ack->multiple ? p->oldest : ack->delivery_tag; tag <= ack->delivery_tag; tag++)
            p->confirmed[tag % (2 * UNCONFIRMED_MAX)] = true;
        while (p->oldest < p->next && p->confirmed[p->oldest % (2 * UNCONFIRMED_MAX)])
            p->confirmed[p->oldest++ % (2 * UNCONFIRMED_MAX)] = false;
        amqp_maybe_release_buffers(p->connection);
        wait = (struct timeval){0};
    }
    expect(status == AMQP_STATUS_TIMEOUT, "reading confirms");
}

static void publish(struct publisher *p, const struct kind *kind, unsigned number, const char *body)
{
    char name[64];
    name_queue(kind, number, name);
    amqp_basic_properties_t properties = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_CONTENT_TYPE_FLAG,
                                          .delivery_mode = 2,
                                          .content_type = amqp_cstring_bytes("application/json")};
    expect(amqp_basic_publish(p->connection, 1, amqp_empty_bytes, amqp_cstring_bytes(name), 1, 0, &properties,
                              (amqp_bytes_t){.len = kind->bytes, .bytes = (void *)body}) == AMQP_STATUS_OK,
           "publishing");
    p->next++;
    atomic_fetch_add(&published, 1);
}

static void *run_publisher(void *arg)
{
    struct publisher p = {.connection = arg, .next = 1, .oldest = 1};
    double owed[KINDS_MAX] = {0};
    unsigned turn[KINDS_MAX] = {0};
    size_t most = 1;
    for (size_t k = 0; k < kind_count; k++)
        most = kinds[k].bytes > most ? kinds[k].bytes : most;
    char *body = malloc(most);
    memset(body, 'x', most);
    (void)amqp_channel_open(p.connection, 1);
    expect_answer(p.connection, "opening a channel");
    (void)amqp_confirm_select(p.connection, 1);
    expect_answer(p.connection, "asking for confirms");
    while (now_s() < ends_at) {
        for (size_t k = 0; k < kind_count; k++)
            for (owed[k] += 16 * kinds[k].per_flow; owed[k] >= 1; owed[k] -= 1)
                publish(&p, &kinds[k], turn[k]++ % kinds[k].queues, body);
        bool wait = p.next - p.oldest > UNCONFIRMED_MAX / 2 || published - consumed > AHEAD_MAX;
        read_confirms(&p, (struct timeval){.tv_usec = wait ? 1000 : 0});
        while (p.next - p.oldest > UNCONFIRMED_MAX / 2 || (published - consumed > AHEAD_MAX && now_s() < ends_at))
            read_confirms(&p, (struct timeval){.tv_usec = 1000});
    }
    while (p.oldest < p.next)
        read_confirms(&p, (struct timeval){.tv_usec = 1000});
    free(body);
    (void)amqp_destroy_connection(p.connection);
    return NULL;
}

/* ---- consuming */

struct consumer {
    amqp_connection_state_t connection;
    unsigned number;
};

static void begin_consuming(const struct consumer *c)
{
    unsigned at = 0;
    amqp_channel_t channel = 1;
    for (size_t k = 0; k < kind_count; k++)
        for (unsigned i = 0; i < kinds[k].queues; i++) {
            char name[64];
            if (at++ % CONSUMERS != c->number)
                continue;
            name_queue(&kinds[k], i, name);
            (void)amqp_channel_open(c->connection, channel);
            expect_answer(c->connection, "opening a channel");
            (void)amqp_basic_qos(c->connection, channel, 0, PREFETCH, 0);
            expect_answer(c->connection, "the prefetch");
            (void)amqp_basic_consume(c->connection, channel++, amqp_cstring_bytes(name), amqp_empty_bytes, 0, 0, 0,
                                     amqp_empty_table);
            expect_answer(c->connection, "consuming");
        }
}

static void *run_consumer(void *arg)
{
    struct consumer *c = arg;
    begin_consuming(c);
    while (!done) {
        amqp_envelope_t envelope;
        amqp_maybe_release_buffers(c->connection);
        amqp_rpc_reply_t reply = amqp_consume_message(c->connection, &envelope, &(struct timeval){.tv_usec = 20000}, 0);
        if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
            expect(reply.library_error == AMQP_STATUS_TIMEOUT, "consuming");
            continue;
        }
        expect(amqp_basic_ack(c->connection, envelope.channel, envelope.delivery_tag, 0) == AMQP_STATUS_OK, "an ack");
        amqp_destroy_envelope(&envelope);
        atomic_fetch_add(&consumed, 1);
    }
    (void)amqp_destroy_connection(c->connection);
    return NULL;
}

static bool read_arguments(int argc, char **argv)
{
    for (int i = 3; i < argc && kind_count < KINDS_MAX; i++) {
        struct kind *kind = &kinds[kind_count++];
        if (sscanf(argv[i], "%31[a-z]:%u:%lf:%zu", kind->name, &kind->queues, &kind->per_flow, &kind->bytes) != 4 ||
            kind->queues == 0 || kind->bytes == 0)
            return false;
    }
    return kind_count > 0;
}

int main(int argc, char **argv)
{
    pthread_t publishers[PUBLISHERS], consuming[CONSUMERS];
    struct consumer consumers[CONSUMERS];
    if (!read_arguments(argc, argv)) {
        (void)fprintf(stderr, "bench_broker_limit PORT SECONDS NAME:QUEUES:MESSAGES_PER_FLOW:BYTES…\n");
        return 2;
    }
    port = (int)strtol(argv[1], NULL, 10);
    amqp_connection_state_t declaring = connect_to();
    declare_all(declaring, false);
    for (unsigned i = 0; i < CONSUMERS; i++) {
        consumers[i] = (struct consumer){.connection = connect_to(), .number = i};
        expect(pthread_create(&consuming[i], NULL, run_consumer, &consumers[i]) == 0, "starting a thread");
    }
    double from = now_s();
    ends_at = from + (double)strtol(argv[2], NULL, 10);
    for (unsigned i = 0; i < PUBLISHERS; i++)
        expect(pthread_create(&publishers[i], NULL, run_publisher, connect_to()) == 0, "starting a thread");
    for (unsigned i = 0; i < PUBLISHERS; i++)
        (void)pthread_join(publishers[i], NULL);
    while (consumed < published)
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    double took = now_s() - from, per_flow = 0;
    done = true;
    for (unsigned i = 0; i < CONSUMERS; i++)
        (void)pthread_join(consuming[i], NULL);
    for (size_t k = 0; k < kind_count; k++)
        per_flow += kinds[k].per_flow;
    (void)printf("%.0f\n", (double)consumed / per_flow / took);
    (void)amqp_channel_close(declaring, 1, AMQP_REPLY_SUCCESS);
    declare_all(declaring, true);
    (void)amqp_destroy_connection(declaring);
    return 0;
}
