/* A pool for callers that wait. */
#include "script/desk.h"

#include "base/mem.h"
#include <pthread.h>
#include <stdlib.h>

struct script_desk {
    struct script_options options;
    char *program;
    pthread_mutex_t lock; /* of the members below, and of each `struct asked` */
    pthread_cond_t answered;
    bool started;
    struct loop *loop;
    struct script_pool *pool;
    pthread_t thread;
};

struct asked {
    struct script_desk *desk;
    const struct script_request *request;
    struct script_answer answer; /* result and logs are copies: counts of references are not atomic */
    struct json *result, *logs;
    bool done;
};

static void *run(void *user)
{
    loop_run(user);
    return NULL;
}

struct script_desk *script_desk_new(const struct script_options *options)
{
    struct script_desk *desk = mem_alloc(sizeof *desk);
    desk->options = *options;
    desk->options.program = desk->program = mem_dup(options->program);
    pthread_mutex_init(&desk->lock, NULL);
    pthread_cond_init(&desk->answered, NULL);
    return desk;
}

static void start(struct script_desk *desk)
{
    desk->loop = desk->options.loop = loop_new();
    desk->pool = script_pool_new(&desk->options);
    if (pthread_create(&desk->thread, NULL, run, desk->loop) != 0)
        abort();
    desk->started = true;
}

void script_desk_free(struct script_desk *desk)
{
    if (desk == NULL)
        return;
    if (desk->started) {
        loop_stop(desk->loop);
        pthread_join(desk->thread, NULL);
        script_pool_free(desk->pool);
        loop_free(desk->loop);
    }
    pthread_cond_destroy(&desk->answered);
    pthread_mutex_destroy(&desk->lock);
    free(desk->program);
    free(desk);
}

static void on_answer(void *user, const struct script_answer *answer)
{
    struct asked *asked = user;
    struct script_desk *desk = asked->desk;
    asked->answer = *answer;
    asked->result = json_dup(answer->result);
    asked->logs = json_dup(answer->logs);
    pthread_mutex_lock(&desk->lock);
    asked->done = true;
    pthread_cond_broadcast(&desk->answered);
    pthread_mutex_unlock(&desk->lock);
}

static void begin(void *user)
{
    struct asked *asked = user;
    (void)script_pool_start(asked->desk->pool, asked->request, on_answer, asked);
}

enum err script_desk_ask(struct script_desk *desk, const struct script_request *request, struct json **ret_result,
                         struct json **ret_logs, struct error *reterr)
{
    struct asked asked = {.desk = desk, .request = request};
    pthread_mutex_lock(&desk->lock);
    if (!desk->started)
        start(desk);
    loop_post(desk->loop, begin, &asked);
    while (!asked.done)
        pthread_cond_wait(&desk->answered, &desk->lock);
    pthread_mutex_unlock(&desk->lock);
    if (ret_logs != NULL)
        *ret_logs = asked.logs;
    else
        json_unref(asked.logs);
    if (asked.answer.error.code == ERR_OK)
        *ret_result = asked.result;
    else
        *reterr = asked.answer.error;
    return asked.answer.error.code;
}
