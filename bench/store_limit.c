/* What the store alone does with the rows of a finished three-node flow: inserted in status pending, finished with its
 * history, in two writes, as the engine does when all nodes ran in one go. Prints flows a second:
 * bench_store_limit URL SECONDS DOCUMENT [WRITERS], where DOCUMENT is a file with a history, and the URL is sqlite:PATH
 * or postgresql://… */
#include "base/clock.h"
#include "base/mem.h"
#include "store/store.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IN_FLIGHT 1000
#define WRITERS_MAX 16

static const char flow_id[] = "01900000-0000-7000-8000-000000000001";
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned in_flight;
static uint64_t done;
static char *document;

struct life {
    char id[ID_TEXT_BYTES];
    int step;
    struct store *store;
};

static enum err write_flow(struct store_session *session, void *arg, struct error *reterr)
{
    return store_flow_insert(session, arg, clock_now_ms(), reterr);
}

static enum err write_step(struct store_session *session, void *arg, struct error *reterr)
{
    struct life *life = arg;
    bool applied;
    int64_t now = clock_now_ms();
    if (life->step == 0)
        return store_execution_insert(session,
                                      &(struct store_execution){.id = life->id,
                                                                .flow_id = flow_id,
                                                                .flow_version = 1,
                                                                .trigger = "manual",
                                                                .priority = 1,
                                                                .unlimited = true,
                                                                .created_ms = now},
                                      reterr);
    struct store_finish finish = {.status = RUN_SUCCESS,
                                  .started_ms = now,
                                  .ended_ms = now,
                                  .records = 5,
                                  .document_json = document,
                                  .result_json = "{\"mapped\":[{\"key\":1}]}"};
    struct store_event event = {.kind = STORE_EVENT_FINISHED,
                                .execution_id = life->id,
                                .epoch = 1,
                                .worker_id = "w",
                                .stepless = true,
                                .at_ms = now,
                                .finish = &finish};
    return store_event_apply(session, &event, &applied, reterr);
}

static void on_done(void *user, enum err code, const struct error *error)
{
    struct life *life = user;
    if (code != ERR_OK) {
        (void)fprintf(stderr, "%s\n", error->message);
        exit(1);
    }
    if (life->step++ < 1) {
        store_write_async(life->store, write_step, life, on_done, life);
        return;
    }
    free(life);
    pthread_mutex_lock(&lock);
    in_flight--;
    done++;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static bool read_document(const char *path)
{
    char part[4096];
    size_t got;
    struct buf text;
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return false;
    buf_init(&text, 0);
    while ((got = fread(part, 1, sizeof part, file)) > 0)
        buf_add(&text, part, got);
    (void)fclose(file);
    document = buf_take(&text);
    return true;
}

static bool open_stores(struct store **stores, unsigned count, const char *url, struct error *reterr)
{
    for (unsigned i = 0; i < count; i++)
        if (store_open(url, NULL, &stores[i], reterr) != ERR_OK)
            return false;
    return true;
}

int main(int argc, char **argv)
{
    struct store *stores[WRITERS_MAX];
    struct error error = {0};
    struct json *flow = NULL;
    unsigned writers = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 1, next = 0;
    static const char text[] =
        "{\"id\":\"01900000-0000-7000-8000-000000000001\",\"name\":\"bench\",\"nodes\":[],\"connections\":[]}";
    if (argc < 4 || !read_document(argv[3]) || writers == 0 || writers > WRITERS_MAX ||
        !open_stores(stores, writers, argv[1], &error) || json_parse(text, strlen(text), &flow, &error) != ERR_OK ||
        store_write(stores[0], write_flow, flow, &error) != ERR_OK) {
        (void)fprintf(stderr, "bench_store_limit: %s\n",
                      error.code == ERR_OK ? "URL SECONDS DOCUMENT [WRITERS]" : error.message);
        return 1;
    }
    int64_t start = clock_monotonic_us(), end = start + strtol(argv[2], NULL, 10) * 1000000;
    while (clock_monotonic_us() < end) {
        pthread_mutex_lock(&lock);
        while (in_flight >= IN_FLIGHT)
            pthread_cond_wait(&changed, &lock);
        in_flight++;
        pthread_mutex_unlock(&lock);
        struct life *life = mem_alloc(sizeof *life);
        life->store = stores[next++ % writers];
        id_new(life->id);
        store_write_async(life->store, write_step, life, on_done, life);
    }
    pthread_mutex_lock(&lock);
    while (in_flight > 0)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    (void)printf("%.0f\n", (double)done * 1e6 / (double)(clock_monotonic_us() - start));
    for (unsigned i = 0; i < writers; i++)
        store_close(stores[i]);
    json_unref(flow);
    free(document);
    return 0;
}
