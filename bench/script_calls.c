/* Expressions and code calls a second, as a worker makes them: evaluated in C, or by runners with many calls in flight.
 * Prints name=figure, one a line: bench_script_calls PROGRAM SECONDS RUNNERS, where PROGRAM is caudal. */
#include "base/clock.h"
#include "base/mem.h"
#include "expression/expression.h"
#include "script/script.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define IN_FLIGHT 500

struct bench {
    struct loop *loop;
    struct script_pool *pool;
    const char *program;
    unsigned runners;
    struct expressions *expressions; /* NULL: code calls */
    unsigned expressions_each;
    struct json *config, *input;
    const char *code, *data;
    int64_t until_us;
    unsigned in_flight;
    uint64_t done, failed;
};

struct call {
    struct bench *bench;
    struct expression_job *job;
};

static bool find(void *user, enum expression_name name, const char *key, struct json **ret)
{
    const struct bench *bench = user;
    (void)key;
    if (name != NAME_INPUT)
        return false;
    *ret = json_ref(bench->input);
    return true;
}

static void start(struct bench *bench);

static void on_done(void *user, const struct script_answer *answer)
{
    struct call *call = user;
    struct bench *bench = call->bench;
    struct error error = {0};
    enum err code = answer->error.code;
    if (code == ERR_OK && call->job != NULL &&
        (code = expression_job_answer(call->job, answer->result, &error)) == ERR_OK)
        json_unref(expression_job_take_inputs(call->job));
    expression_job_free(call->job);
    free(call);
    bench->failed += code != ERR_OK;
    bench->done++;
    bench->in_flight--;
    if (clock_monotonic_us() < bench->until_us)
        start(bench);
    else if (bench->in_flight == 0)
        loop_stop(bench->loop);
}

static void start(struct bench *bench)
{
    const struct expression_source source = {.user = bench, .now_ms = 0, .find = find};
    struct call *call = mem_alloc(sizeof *call);
    struct error error = {0};
    AUTO_BUF struct buf program, data;
    buf_init(&program, 0);
    buf_init(&data, 0);
    call->bench = bench;
    if (bench->expressions != NULL) {
        call->job = expression_job_new(bench->expressions, bench->config, &source, &error);
        expression_job_program(call->job, &program);
        expression_job_data(call->job, &source, &data);
    } else {
        buf_add_str(&program, bench->code);
        buf_add_str(&data, bench->data);
    }
    bench->in_flight++;
    (void)script_pool_start(
        bench->pool,
        &(struct script_request){.kind = bench->expressions != NULL ? SCRIPT_EXPRESSIONS : SCRIPT_CODE,
                                 .realm = "flow/1",
                                 .program = buf_str(&program),
                                 .program_bytes = program.len,
                                 .data = buf_str(&data),
                                 .data_bytes = data.len},
        on_done, call);
}

static void report(const struct bench *bench, const char *name, int64_t took_us)
{
    (void)printf("%s=%.0f\n", name, (double)bench->done * bench->expressions_each * 1e6 / (double)took_us);
    if (bench->failed > 0)
        (void)printf("%s_failed=%llu\n", name, (unsigned long long)bench->failed);
    (void)fflush(stdout);
}

static double cpu_us(void)
{
    double sum = 0;
    struct rusage used;
    for (int who = 0; who < 2; who++) {
        (void)getrusage(who == 0 ? RUSAGE_SELF : RUSAGE_CHILDREN, &used);
        sum += (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
               (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
    }
    return sum;
}

/* The first calls start the runners and warm the engine up: they do not count. The processor's time is that of all. */
static void run_scripts(struct bench *bench, const char *name, int64_t seconds)
{
    double before_us = cpu_us();
    uint64_t calls = 0;
    bench->pool = script_pool_new(&(struct script_options){.loop = bench->loop,
                                                           .program = bench->program,
                                                           .runners = bench->runners,
                                                           .timeout_ms = 10000,
                                                           .memory_mb = 256});
    for (int round = 0; round < 2; round++) {
        int64_t from_us = clock_monotonic_us();
        bench->done = bench->failed = 0;
        bench->until_us = from_us + (round == 0 ? 1 : seconds) * 1000000;
        for (unsigned i = 0; i < IN_FLIGHT; i++)
            start(bench);
        loop_run(bench->loop);
        calls += bench->done;
        if (round == 1)
            report(bench, name, clock_monotonic_us() - from_us);
    }
    script_pool_free(bench->pool);
    (void)printf("%s_cpu_us_each=%.1f\n", name, (cpu_us() - before_us) / (double)(calls * bench->expressions_each));
}

static void run_paths(struct bench *bench, const char *name, int64_t seconds)
{
    const struct expression_source source = {.user = bench, .now_ms = 0, .find = find};
    int64_t from_us = clock_monotonic_us(), now_us;
    bench->done = 0;
    while ((now_us = clock_monotonic_us()) < from_us + seconds * 1000000)
        for (int i = 0; i < 1000; i++) {
            struct error error;
            struct expression_job *job = expression_job_new(bench->expressions, bench->config, &source, &error);
            json_unref(expression_job_take_inputs(job));
            expression_job_free(job);
            bench->done++;
        }
    report(bench, name, now_us - from_us);
}

static struct json *parse(const char *text)
{
    struct json *value = NULL;
    struct error error;
    if (json_parse(text, strlen(text), &value, &error) != ERR_OK) {
        (void)fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
    return value;
}

static void set_config(struct bench *bench, const char *text, unsigned each)
{
    expressions_free(bench->expressions);
    json_unref(bench->config);
    bench->config = text == NULL ? NULL : parse(text);
    bench->expressions = text == NULL ? NULL : expressions_new(bench->config, NULL);
    bench->expressions_each = each;
}

int main(int argc, char **argv)
{
    static const char one[] = "{\"a\":\"{{ input.price * (1 + input.tax) }}\"}";
    static const char ten[] =
        "{\"a\":\"{{ input.price * 2 }}\",\"b\":\"{{ input.name.toUpperCase() }}\",\"c\":\"{{ input.tax + 1 }}\","
        "\"d\":\"{{ input.price > 5 }}\",\"e\":\"{{ input.name + '!' }}\",\"f\":\"{{ input.tags.length + 0 }}\","
        "\"g\":\"{{ input.tags.join() }}\",\"h\":\"{{ -input.price }}\",\"i\":\"{{ !input.tax }}\",\"j\":\"{{ "
        "input.price ?? 0 }}\"}";
    static const char path[] = "{\"a\":\"{{ input.name }}\"}";
    if (argc != 4 || strtoul(argv[3], NULL, 10) == 0)
        return 2;
    int64_t seconds = strtol(argv[2], NULL, 10);
    struct bench bench = {
        .loop = loop_new(),
        .program = argv[1],
        .runners = (unsigned)strtoul(argv[3], NULL, 10),
        .input = parse("{\"price\":12.5,\"tax\":0.2,\"name\":\"customer 7\",\"tags\":[\"a\",\"b\"]}"),
        .code = "{\"code\":\"return { total: input.price * 1.2, name: input.name.trim() }\",\"mode\":\"once\"}",
        .data = "{\"now\":0,\"input\":{\"price\":12.5,\"name\":\"customer 7\"}}"};
    set_config(&bench, path, 1);
    run_paths(&bench, "paths_per_s", seconds);
    set_config(&bench, one, 1);
    run_scripts(&bench, "expressions_alone_per_s", seconds);
    set_config(&bench, ten, 10);
    run_scripts(&bench, "expressions_per_s", seconds);
    set_config(&bench, NULL, 1);
    run_scripts(&bench, "code_calls_per_s", seconds);
    json_unref(bench.input);
    loop_free(bench.loop);
    return 0;
}
