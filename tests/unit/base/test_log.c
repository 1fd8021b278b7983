/* The log: its lines, its bounds, its levels, many threads at once. */
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "json/json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define NOW 1735786245678 /* 2025-01-02T02:50:45.678Z */
#define FIELDS(...) ((const struct log_field[]){__VA_ARGS__})

static char line[LOG_LINE_BYTES + 1];

static const char *format(enum log_format form, const char *message, const struct log_field *fields)
{
    size_t len = log_line_format(form, NOW, LOG_WARN, "worker", NULL, message, fields, line);
    assert_int_equal(len, strlen(line));
    assert_true(len <= LOG_LINE_BYTES);
    assert_ptr_equal(strchr(line, '\n'), line + len - 1); /* one line, ended */
    return line;
}

static struct json *parse_line(const char *text)
{
    struct json *value = NULL;
    struct error error;
    if (json_parse(text, strlen(text), &value, &error) != ERR_OK)
        fail_msg("%s in %s", error.message, text);
    return value;
}

static void json_lines_hold_every_kind(void **state)
{
    (void)state;
    struct error cause;
    (void)error_set(&cause, ERR_NOT_FOUND, "flowId", "no flow has that id");
    assert_string_equal(
        format(LOG_FORMAT_JSON, "done",
               FIELDS(LOG_STR("flowId", "f1"), LOG_STR("none", NULL), LOG_STR_N("part", "abcdef", 3),
                      LOG_INT("min", INT64_MIN), LOG_UINT("max", UINT64_MAX), LOG_DOUBLE("ratio", 0.25),
                      LOG_DOUBLE("nan", NAN), LOG_BOOL("yes", true), LOG_CAUSE(&cause), LOG_END)),
        "{\"time\":\"2025-01-02T02:50:45.678Z\",\"level\":\"warn\",\"service\":\"worker\",\"message\":\"done\","
        "\"flowId\":\"f1\",\"none\":null,\"part\":\"abc\",\"min\":-9223372036854775808,\"max\":18446744073709551615,"
        "\"ratio\":0.25,\"nan\":null,\"yes\":true,\"code\":\"NOT_FOUND\",\"error\":\"no flow has that id\","
        "\"field\":\"flowId\"}\n");
}

static void text_lines_are_readable(void **state)
{
    (void)state;
    assert_string_equal(format(LOG_FORMAT_TEXT, "it is done",
                               FIELDS(LOG_STR("id", "f-1"), LOG_STR("name", "two words"), LOG_STR("empty", ""),
                                      LOG_STR("evil", "a\nb\"c"), LOG_INT("n", 3), LOG_END)),
                        "2025-01-02T02:50:45.678Z warn  worker: it is done id=f-1 name=\"two words\" empty=\"\" "
                        "evil=\"a\\nb\\\"c\" n=3\n");
}

static void nothing_can_forge_a_line(void **state)
{
    (void)state;
    static const struct {
        const char *in, *json;
    } cases[] = {{"a\nb\r\t", "a\\nb\\r\\t"},
                 {"\x1b[31m\x7f", "\\u001b[31m\\u007f"},
                 {"\xc2\x85\xe2\x80\xa8", "\\u0085\\u2028"},
                 {"q\"\\", "q\\\"\\\\"},
                 {"\xff\xc0\x80", "\\\\xff\\\\xc0\\\\x80"}, /* an overlong NUL */
                 {"\xed\xa0\x80", "\\\\xed\\\\xa0\\\\x80"}, /* a surrogate */
                 {"cut \xe2\x82", "cut \\\\xe2\\\\x82"},
                 {"\xf4\x90\x80\x80", "\\\\xf4\\\\x90\\\\x80\\\\x80"}, /* above U+10FFFF */
                 {"ñ€😀", "ñ€😀"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO_FREE char *expected = mem_printf("\"v\":\"%s\"}", cases[i].json);
        const char *got = format(LOG_FORMAT_JSON, cases[i].in, FIELDS(LOG_STR("v", cases[i].in), LOG_END));
        if (strstr(got, expected) == NULL)
            fail_msg("case %zu: %s", i, got);
        AUTO_JSON struct json *parsed = parse_line(got);
        assert_string_equal(json_get_str(parsed, "v"), json_get_str(parsed, "message"));
        (void)format(LOG_FORMAT_TEXT, cases[i].in, FIELDS(LOG_STR(cases[i].in, cases[i].in), LOG_END));
    }
    const char zero[] = {'a', '\0', 'b'};
    assert_non_null(strstr(format(LOG_FORMAT_JSON, "m", FIELDS(LOG_STR_N("v", zero, 3), LOG_END)), "\"a\\u0000b\""));
}

static void values_and_lines_are_capped(void **state)
{
    (void)state;
    char huge[20000];
    for (int fill = 0; fill < 3; fill++) { /* plain, six-fold and four-fold escapes */
        memset(huge, "x\x01\xff"[fill], sizeof huge - 1);
        huge[sizeof huge - 1] = '\0';
        AUTO_JSON struct json *parsed = parse_line(format(
            LOG_FORMAT_JSON, huge,
            FIELDS(LOG_STR("one", huge), LOG_STR("two", huge), LOG_STR("three", huge), LOG_INT("small", 1), LOG_END)));
        const char *one = json_get_str(parsed, "one");
        assert_true(strlen(one) <= LOG_VALUE_BYTES + strlen("…"));
        assert_string_equal(one + strlen(one) - strlen("…"), "…");
        assert_non_null(json_get_str(parsed, "two"));
        assert_null(json_get(parsed, "three"));
        assert_int_equal(json_get_int(parsed, "small", 0), 1); /* later fields that fit are kept */
        assert_true(json_get_bool(parsed, "truncated", false));
        (void)format(LOG_FORMAT_TEXT, huge,
                     FIELDS(LOG_STR(huge, huge), LOG_STR(huge, huge), LOG_STR(huge, huge), LOG_END));
    }
}

struct capture {
    pthread_mutex_t lock;
    struct buf text;
};

static void on_line(void *user, const char *text, size_t len)
{
    struct capture *capture = user;
    pthread_mutex_lock(&capture->lock);
    buf_add(&capture->text, text, len);
    pthread_mutex_unlock(&capture->lock);
}

static void capture_start(struct capture *capture, enum log_level level)
{
    pthread_mutex_init(&capture->lock, NULL);
    buf_init(&capture->text, 0);
    log_start(&(struct log_options){.level = level, .service = "test", .sink = on_line, .user = capture});
}

static void capture_done(struct capture *capture)
{
    log_start(&(struct log_options){.level = LOG_INFO});
    buf_done(&capture->text);
    pthread_mutex_destroy(&capture->lock);
}

static int evaluated;

static int64_t costly(void)
{
    return ++evaluated;
}

static void levels_filter_before_evaluating(void **state)
{
    (void)state;
    struct capture capture;
    capture_start(&capture, LOG_WARN);
    evaluated = 0;
    log_event(LOG_INFO, "quiet", LOG_INT("n", costly()), LOG_END);
    assert_int_equal(evaluated, 0);
    assert_int_equal(capture.text.len, 0);
    errno = ENOENT;
    log_event(LOG_ERROR, "loud", LOG_INT("n", costly()), LOG_END);
    assert_int_equal(errno, ENOENT);
    log_set_level(LOG_DEBUG);
    log_event(LOG_DEBUG, "fine", LOG_END);
    assert_non_null(
        strstr(buf_str(&capture.text), "\"level\":\"error\",\"service\":\"test\",\"message\":\"loud\",\"n\":1}\n"));
    assert_non_null(strstr(buf_str(&capture.text), "\"level\":\"debug\""));
    capture_done(&capture);
}

static void level_names_round_trip(void **state)
{
    (void)state;
    for (int i = LOG_DEBUG; i <= LOG_ERROR; i++) {
        enum log_level level = LOG_DEBUG;
        assert_true(log_level_parse(log_level_name((enum log_level)i), &level));
        assert_int_equal(level, i);
    }
    enum log_level level = LOG_WARN;
    assert_false(log_level_parse("verbose", &level));
    assert_int_equal(level, LOG_WARN);
}

#define THREADS 4
#define LINES 500

static void *write_many(void *user)
{
    for (int i = 0; i < LINES; i++)
        log_event(LOG_INFO, "line", LOG_STR("thread", user), LOG_INT("i", i), LOG_END);
    return NULL;
}

static void *read_all(void *user)
{
    struct buf *text = ((void **)user)[0];
    int fd = *(int *)((void **)user)[1];
    char chunk[8192];
    ssize_t n;
    while ((n = read(fd, chunk, sizeof chunk)) > 0)
        buf_add(text, chunk, (size_t)n);
    return NULL;
}

static void run_threads(void)
{
    static char names[THREADS][2] = {"a", "b", "c", "d"};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, names[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

/* Standard error as a pipe, four writers: every line arrives whole. */
static void lines_of_threads_do_not_mix(void **state)
{
    (void)state;
    int ends[2], kept = dup(STDERR_FILENO);
    AUTO_BUF struct buf text;
    buf_init(&text, 0);
    assert_int_equal(pipe(ends), 0);
    log_start(&(struct log_options){.level = LOG_INFO, .service = "test"});
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, read_all, (void *[]){&text, &ends[0]}), 0);
    run_threads();
    dup2(kept, STDERR_FILENO); /* closes the pipe's last writing end */
    close(kept);
    pthread_join(reader, NULL);
    close(ends[0]);

    int seen[THREADS] = {0};
    for (char *at = text.data, *end; at != NULL && *at != '\0'; at = end + 1) {
        end = strchr(at, '\n');
        assert_non_null(end);
        *end = '\0';
        AUTO_JSON struct json *parsed = parse_line(at);
        int thread = json_get_str(parsed, "thread")[0] - 'a';
        assert_int_equal(json_get_int(parsed, "i", -1), seen[thread]++);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(seen[i], LINES);
}

static void a_closed_sink_is_counted_not_fatal(void **state)
{
    (void)state;
    int kept = dup(STDERR_FILENO);
    uint64_t before = log_lost_count();
    close(STDERR_FILENO);
    log_event(LOG_ERROR, "nobody reads this", LOG_END);
    dup2(kept, STDERR_FILENO);
    close(kept);
    assert_int_equal(log_lost_count(), before + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_lines_hold_every_kind),      cmocka_unit_test(text_lines_are_readable),
        cmocka_unit_test(nothing_can_forge_a_line),        cmocka_unit_test(values_and_lines_are_capped),
        cmocka_unit_test(levels_filter_before_evaluating), cmocka_unit_test(level_names_round_trip),
        cmocka_unit_test(lines_of_threads_do_not_mix),     cmocka_unit_test(a_closed_sink_is_counted_not_fatal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
