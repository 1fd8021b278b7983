/* A small MongoDB for tests. One thread for each connection, one lock around the collection. */
#include "support/mongo_server.h"

#include "base/mem.h"
#include <arpa/inet.h>
#include <bson/bson.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DOCUMENTS_MAX 10000
#define CONNECTIONS_MAX 64
#define BATCH 101 /* of find without batchSize, as the real one */
enum { OP_REPLY = 1, OP_QUERY = 2004, OP_MSG = 2013 };

struct connection {
    struct mongo_server *server;
    int fd;
    pthread_t thread;
};

struct mongo_server {
    int fd, port;
    pthread_t thread;
    pthread_mutex_t lock;
    bool stopping;
    enum mongo_mood mood;
    bson_t *documents[DOCUMENTS_MAX];
    size_t count;
    bson_t *rest[DOCUMENTS_MAX]; /* of the one open cursor */
    size_t rest_count;
    struct connection connections[CONNECTIONS_MAX];
    size_t connection_count;
};

/* ---- the collection, under the lock */

static bool same(const bson_iter_t *a, const bson_iter_t *b)
{
    if (BSON_ITER_HOLDS_NUMBER(a) && BSON_ITER_HOLDS_NUMBER(b))
        return bson_iter_as_double(a) == bson_iter_as_double(b);
    if (bson_iter_type(a) != bson_iter_type(b))
        return false;
    switch (bson_iter_type(a)) {
    case BSON_TYPE_UTF8:
        return strcmp(bson_iter_utf8(a, NULL), bson_iter_utf8(b, NULL)) == 0;
    case BSON_TYPE_OID:
        return bson_oid_equal(bson_iter_oid(a), bson_iter_oid(b));
    case BSON_TYPE_BOOL:
        return bson_iter_bool(a) == bson_iter_bool(b);
    case BSON_TYPE_DATE_TIME:
        return bson_iter_date_time(a) == bson_iter_date_time(b);
    default:
        return bson_iter_type(a) == BSON_TYPE_NULL;
    }
}

/* Equality, and {$gt: number}. */
static bool matches(const bson_t *document, const bson_t *filter)
{
    bson_iter_t wanted, has, inner;
    if (!bson_iter_init(&wanted, filter))
        return true;
    while (bson_iter_next(&wanted)) {
        if (!bson_iter_init_find(&has, document, bson_iter_key(&wanted)))
            return false;
        if (BSON_ITER_HOLDS_DOCUMENT(&wanted) && bson_iter_recurse(&wanted, &inner) && bson_iter_find(&inner, "$gt")) {
            if (!(bson_iter_as_double(&has) > bson_iter_as_double(&inner)))
                return false;
        } else if (!same(&has, &wanted)) {
            return false;
        }
    }
    return true;
}

static bool get_document(const bson_t *from, const char *name, bson_t *ret)
{
    bson_iter_t at;
    uint32_t n = 0;
    const uint8_t *bytes = NULL;
    bson_init(ret);
    if (!bson_iter_init_find(&at, from, name) || !BSON_ITER_HOLDS_DOCUMENT(&at))
        return false;
    bson_iter_document(&at, &n, &bytes);
    return bson_init_static(ret, bytes, n);
}

static int64_t get_int(const bson_t *from, const char *name, int64_t otherwise)
{
    bson_iter_t at;
    return bson_iter_init_find(&at, from, name) ? bson_iter_as_int64(&at) : otherwise;
}

/* The first batch, or the next one, out of `rest`. */
static void add_cursor(struct mongo_server *server, bson_t *reply, const char *batch_name, int64_t batch)
{
    bson_t cursor, list;
    size_t n = batch <= 0 || (size_t)batch > server->rest_count ? server->rest_count : (size_t)batch;
    BSON_APPEND_DOCUMENT_BEGIN(reply, "cursor", &cursor);
    BSON_APPEND_INT64(&cursor, "id", n < server->rest_count ? 7 : 0);
    BSON_APPEND_UTF8(&cursor, "ns", "shop.orders");
    BSON_APPEND_ARRAY_BEGIN(&cursor, batch_name, &list);
    for (size_t i = 0; i < n; i++) {
        char key[24];
        (void)snprintf(key, sizeof key, "%zu", i);
        BSON_APPEND_DOCUMENT(&list, key, server->rest[i]);
        bson_destroy(server->rest[i]);
    }
    memmove(server->rest, server->rest + n, (server->rest_count - n) * sizeof *server->rest);
    server->rest_count -= n;
    bson_append_array_end(&cursor, &list);
    bson_append_document_end(reply, &cursor);
}

static void find(struct mongo_server *server, const bson_t *filter, int64_t skip, int64_t limit)
{
    for (size_t i = 0; i < server->rest_count; i++)
        bson_destroy(server->rest[i]);
    server->rest_count = 0;
    for (size_t i = 0; i < server->count; i++) {
        if (!matches(server->documents[i], filter) || skip-- > 0)
            continue;
        server->rest[server->rest_count++] = bson_copy(server->documents[i]);
        if (limit > 0 && (int64_t)server->rest_count == limit)
            return;
    }
}

/* Document `index` with the operators applied: $set replaces or adds, $inc adds numbers. True: it changed. */
static bool change(struct mongo_server *server, size_t index, const bson_t *update)
{
    bson_t set, inc, *before = server->documents[index], *after = bson_new();
    bson_iter_t at, other;
    bool has_set = get_document(update, "$set", &set), has_inc = get_document(update, "$inc", &inc);
    bson_iter_init(&at, before);
    while (bson_iter_next(&at)) {
        const char *key = bson_iter_key(&at);
        if (has_set && bson_iter_init_find(&other, &set, key))
            bson_append_iter(after, key, -1, &other);
        else if (has_inc && bson_iter_init_find(&other, &inc, key))
            BSON_APPEND_INT64(after, key, bson_iter_as_int64(&at) + bson_iter_as_int64(&other));
        else
            bson_append_iter(after, key, -1, &at);
    }
    if (has_set && bson_iter_init(&at, &set))
        while (bson_iter_next(&at))
            if (!bson_has_field(before, bson_iter_key(&at)))
                bson_append_iter(after, bson_iter_key(&at), -1, &at);
    bool changed = !bson_equal(before, after);
    bson_destroy(before);
    server->documents[index] = after;
    return changed;
}

static void run_update(struct mongo_server *server, const bson_t *entry, bson_t *upserted, int64_t *ret_matched,
                       int64_t *ret_changed)
{
    bson_t filter, update;
    bson_iter_t at;
    (void)get_document(entry, "q", &filter);
    (void)get_document(entry, "u", &update);
    bool multi = bson_iter_init_find(&at, entry, "multi") && bson_iter_as_bool(&at),
         upsert = bson_iter_init_find(&at, entry, "upsert") && bson_iter_as_bool(&at);
    int64_t matched = 0;
    for (size_t i = 0; i < server->count && (multi || matched == 0); i++)
        if (matches(server->documents[i], &filter)) {
            matched++;
            *ret_changed += change(server, i, &update);
        }
    if (matched == 0 && upsert) {
        bson_t one;
        bson_oid_t oid;
        bson_oid_init(&oid, NULL);
        server->documents[server->count] = bson_new();
        BSON_APPEND_OID(server->documents[server->count], "_id", &oid);
        bson_concat(server->documents[server->count], &filter);
        (void)change(server, server->count++, &update);
        BSON_APPEND_DOCUMENT_BEGIN(upserted, "0", &one);
        BSON_APPEND_INT32(&one, "index", 0);
        BSON_APPEND_OID(&one, "_id", &oid);
        bson_append_document_end(upserted, &one);
        matched = 1;
    }
    *ret_matched += matched;
}

static int64_t run_delete(struct mongo_server *server, const bson_t *entry)
{
    bson_t filter;
    int64_t deleted = 0, limit = get_int(entry, "limit", 0);
    (void)get_document(entry, "q", &filter);
    for (size_t i = 0; i < server->count;) {
        if (!matches(server->documents[i], &filter) || (limit > 0 && deleted == limit)) {
            i++;
            continue;
        }
        bson_destroy(server->documents[i]);
        memmove(&server->documents[i], &server->documents[i + 1], (server->count - i - 1) * sizeof *server->documents);
        server->count--;
        deleted++;
    }
    return deleted;
}

static bool insert(struct mongo_server *server, const bson_t *document)
{
    bson_iter_t id, other;
    if (!bson_iter_init_find(&id, document, "_id"))
        return false;
    for (size_t i = 0; i < server->count; i++)
        if (bson_iter_init_find(&other, server->documents[i], "_id") && same(&id, &other))
            return false;
    server->documents[server->count++] = bson_copy(document);
    return true;
}

/* ---- commands */

static void hello(bson_t *reply)
{
    BSON_APPEND_BOOL(reply, "ismaster", true);
    BSON_APPEND_BOOL(reply, "isWritablePrimary", true);
    BSON_APPEND_INT32(reply, "maxBsonObjectSize", 16777216);
    BSON_APPEND_INT32(reply, "maxMessageSizeBytes", 48000000);
    BSON_APPEND_INT32(reply, "maxWriteBatchSize", 100000);
    BSON_APPEND_INT32(reply, "minWireVersion", 0);
    BSON_APPEND_INT32(reply, "maxWireVersion", 13);
    BSON_APPEND_BOOL(reply, "readOnly", false);
}

static void add_duplicate(bson_t *reply, int index)
{
    bson_t list, one;
    BSON_APPEND_ARRAY_BEGIN(reply, "writeErrors", &list);
    BSON_APPEND_DOCUMENT_BEGIN(&list, "0", &one);
    BSON_APPEND_INT32(&one, "index", index);
    BSON_APPEND_INT32(&one, "code", 11000);
    BSON_APPEND_UTF8(&one, "errmsg", "E11000 duplicate key error");
    bson_append_document_end(&list, &one);
    bson_append_array_end(reply, &list);
}

static void run_insert(struct mongo_server *server, bson_t *const *entries, size_t count, bson_t *reply)
{
    int inserted = 0;
    bool duplicate = false;
    for (size_t i = 0; i < count && !duplicate; i++) {
        duplicate = !insert(server, entries[i]);
        inserted += !duplicate;
    }
    BSON_APPEND_INT32(reply, "n", inserted);
    if (duplicate)
        add_duplicate(reply, inserted);
}

static void run_updates(struct mongo_server *server, bson_t *const *entries, size_t count, bson_t *reply)
{
    int64_t matched = 0, changed = 0;
    bson_t *upserted = bson_new();
    for (size_t i = 0; i < count; i++)
        run_update(server, entries[i], upserted, &matched, &changed);
    BSON_APPEND_INT32(reply, "n", (int32_t)matched);
    BSON_APPEND_INT32(reply, "nModified", (int32_t)changed);
    if (!bson_empty(upserted))
        BSON_APPEND_ARRAY(reply, "upserted", upserted);
    bson_destroy(upserted);
}

static void run_aggregate(struct mongo_server *server, const bson_t *command, bson_t *reply)
{
    bson_iter_t stages, stage;
    bson_t filter, document;
    int64_t limit = 0;
    uint32_t n;
    const uint8_t *bytes;
    bson_init(&filter);
    if (bson_iter_init_find(&stages, command, "pipeline") && bson_iter_recurse(&stages, &stage))
        while (bson_iter_next(&stage)) {
            bson_iter_document(&stage, &n, &bytes);
            (void)bson_init_static(&document, bytes, n);
            if (bson_has_field(&document, "$match"))
                (void)get_document(&document, "$match", &filter);
            limit = get_int(&document, "$limit", limit);
        }
    find(server, &filter, 0, limit);
    add_cursor(server, reply, "firstBatch", BATCH);
}

static void fail(bson_t *reply, int code, const char *name, const char *text)
{
    BSON_APPEND_DOUBLE(reply, "ok", 0);
    BSON_APPEND_INT32(reply, "code", code);
    BSON_APPEND_UTF8(reply, "codeName", name);
    BSON_APPEND_UTF8(reply, "errmsg", text);
}

static void answer(struct mongo_server *server, const bson_t *command, bson_t *const *entries, size_t count,
                   bson_t *reply)
{
    bson_iter_t first;
    bson_t filter;
    const char *name = bson_iter_init(&first, command) && bson_iter_next(&first) ? bson_iter_key(&first) : "";
    bool greets = strcasecmp(name, "hello") == 0 || strcasecmp(name, "ismaster") == 0;
    if (server->mood == MONGO_ERROR && !greets) {
        fail(reply, 13, "Unauthorized", "not authorized on shop to execute that command");
        return;
    }
    if (greets) {
        hello(reply);
    } else if (strcmp(name, "find") == 0) {
        (void)get_document(command, "filter", &filter);
        find(server, &filter, get_int(command, "skip", 0), get_int(command, "limit", 0));
        add_cursor(server, reply, "firstBatch", get_int(command, "batchSize", BATCH));
    } else if (strcmp(name, "getMore") == 0) {
        add_cursor(server, reply, "nextBatch", get_int(command, "batchSize", BATCH));
    } else if (strcmp(name, "aggregate") == 0) {
        run_aggregate(server, command, reply);
    } else if (strcmp(name, "insert") == 0) {
        run_insert(server, entries, count, reply);
    } else if (strcmp(name, "update") == 0) {
        run_updates(server, entries, count, reply);
    } else if (strcmp(name, "delete") == 0) {
        int64_t deleted = 0;
        for (size_t i = 0; i < count; i++)
            deleted += run_delete(server, entries[i]);
        BSON_APPEND_INT32(reply, "n", (int32_t)deleted);
    } else if (strcmp(name, "ping") != 0 && strcmp(name, "endSessions") != 0 && strcmp(name, "killCursors") != 0) {
        fail(reply, 59, "CommandNotFound", "no such command");
        return;
    }
    BSON_APPEND_DOUBLE(reply, "ok", 1);
}

/* ---- the wire: little-endian int32s, as this machine has them */

static bool read_all(int fd, void *to, size_t n)
{
    for (size_t got = 0; got < n;) {
        ssize_t step = read(fd, (char *)to + got, n - got);
        if (step <= 0)
            return false;
        got += (size_t)step;
    }
    return true;
}

static bool write_all(int fd, const void *from, size_t n)
{
    for (size_t sent = 0; sent < n;) {
        ssize_t step = send(fd, (const char *)from + sent, n - sent, MSG_NOSIGNAL);
        if (step <= 0)
            return false;
        sent += (size_t)step;
    }
    return true;
}

static int32_t int_at(const uint8_t *at)
{
    int32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static bool reply_to(int fd, int32_t request, int32_t opcode, const bson_t *reply)
{
    int32_t head[4] = {0, 1, request, opcode == OP_QUERY ? OP_REPLY : OP_MSG};
    uint8_t middle[20] = {0};
    size_t middle_size = opcode == OP_QUERY ? 20 : 5; /* flags, cursor, from, one; or flags and a section of kind 0 */
    if (opcode == OP_QUERY)
        middle[16] = 1;
    head[0] = (int32_t)(sizeof head + middle_size + reply->len);
    return write_all(fd, head, sizeof head) && write_all(fd, middle, middle_size) &&
           write_all(fd, bson_get_data(reply), reply->len);
}

/* The documents of a section of kind 1, or of the array of that name in the command. */
static size_t collect(const uint8_t *at, const uint8_t *end, const bson_t *command, bson_t **entries)
{
    static const char *const arrays[] = {"documents", "updates", "deletes"};
    size_t count = 0;
    bson_iter_t list, one;
    uint32_t n;
    const uint8_t *bytes;
    if (at < end && *at == 1) {
        const uint8_t *stop = at + 1 + int_at(at + 1);
        for (at += 5 + strlen((const char *)at + 5) + 1; at < stop; at += int_at(at))
            entries[count++] = bson_new_from_data(at, (size_t)int_at(at));
    }
    for (size_t i = 0; i < 3; i++)
        if (bson_iter_init_find(&list, command, arrays[i]) && bson_iter_recurse(&list, &one))
            while (bson_iter_next(&one)) {
                bson_iter_document(&one, &n, &bytes);
                entries[count++] = bson_new_from_data(bytes, n);
            }
    return count;
}

/* A whole message; false: the connection is over. */
static bool serve(struct connection *connection, const int32_t *head, const uint8_t *body, size_t size)
{
    struct mongo_server *server = connection->server;
    const uint8_t *at = body + 5, *end = body + size; /* OP_MSG: flags, kind 0 */
    if (head[3] == OP_QUERY)
        at = body + 4 + strlen((const char *)body + 4) + 1 + 8;
    bson_t *command = bson_new_from_data(at, (size_t)int_at(at)), *reply = bson_new();
    if (command == NULL) {
        bson_destroy(reply);
        return false;
    }
    bson_t **entries = mem_array(DOCUMENTS_MAX, sizeof *entries);
    size_t count = head[3] == OP_QUERY ? 0 : collect(at + int_at(at), end, command, entries);
    pthread_mutex_lock(&server->lock);
    answer(server, command, entries, count, reply);
    enum mongo_mood mood =
        head[3] == OP_QUERY || bson_has_field(command, "hello") || bson_has_field(command, "isMaster") ? MONGO_FINE
                                                                                                       : server->mood;
    pthread_mutex_unlock(&server->lock);
    bool goes_on = mood == MONGO_GARBAGE  ? write_all(connection->fd, "\x20\0\0\0no such protocol at all....", 32)
                   : mood == MONGO_SILENT ? true
                                          : reply_to(connection->fd, head[1], head[3], reply);
    for (size_t i = 0; i < count; i++)
        bson_destroy(entries[i]);
    free(entries);
    bson_destroy(command);
    bson_destroy(reply);
    return goes_on;
}

static void *run_connection(void *user)
{
    struct connection *connection = user;
    int32_t head[4];
    bool goes_on = true;
    while (goes_on && read_all(connection->fd, head, sizeof head) && head[0] > 20 && head[0] < (64 << 20)) {
        size_t size = (size_t)head[0] - sizeof head;
        uint8_t *body = mem_alloc(size + 1);
        goes_on = read_all(connection->fd, body, size) && serve(connection, head, body, size);
        free(body);
    }
    (void)shutdown(connection->fd, SHUT_RDWR);
    return NULL;
}

static void *accept_all(void *user)
{
    struct mongo_server *server = user;
    for (;;) {
        int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);
        pthread_mutex_lock(&server->lock);
        bool stop = server->stopping || server->connection_count == CONNECTIONS_MAX;
        if (fd >= 0 && !stop) {
            struct connection *connection = &server->connections[server->connection_count++];
            *connection = (struct connection){.server = server, .fd = fd};
            if (pthread_create(&connection->thread, NULL, run_connection, connection) != 0)
                abort();
        } else if (fd >= 0) {
            close(fd);
        }
        stop = server->stopping;
        pthread_mutex_unlock(&server->lock);
        if (stop)
            return NULL;
    }
}

struct mongo_server *mongo_server_start(void)
{
    struct mongo_server *server = mem_alloc(sizeof *server);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    pthread_mutex_init(&server->lock, NULL);
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server->fd < 0 || bind(server->fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(server->fd, 64) != 0 || getsockname(server->fd, (struct sockaddr *)&address, &size) != 0 ||
        pthread_create(&server->thread, NULL, accept_all, server) != 0)
        abort();
    server->port = ntohs(address.sin_port);
    return server;
}

int mongo_server_port(const struct mongo_server *server)
{
    return server->port;
}

void mongo_server_set_mood(struct mongo_server *server, enum mongo_mood mood)
{
    pthread_mutex_lock(&server->lock);
    server->mood = mood;
    pthread_mutex_unlock(&server->lock);
}

void mongo_server_stop(struct mongo_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->stopping = true;
    pthread_mutex_unlock(&server->lock);
    (void)shutdown(server->fd, SHUT_RDWR); /* accept returns */
    pthread_join(server->thread, NULL);
    for (size_t i = 0; i < server->connection_count; i++) {
        (void)shutdown(server->connections[i].fd, SHUT_RDWR);
        pthread_join(server->connections[i].thread, NULL);
        close(server->connections[i].fd);
    }
    for (size_t i = 0; i < server->count; i++)
        bson_destroy(server->documents[i]);
    for (size_t i = 0; i < server->rest_count; i++)
        bson_destroy(server->rest[i]);
    close(server->fd);
    free(server);
}
