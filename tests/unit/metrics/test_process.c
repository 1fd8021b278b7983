/* Process figures: of a made-up /proc, and of this process. */
#include "base/clock.h"
#include "base/mem.h"
#include "metrics/process.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fake {
    char root[64];
};

static void fake_write(const struct fake *fake, const char *name, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", fake->root, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fputs(text, file) >= 0, 1);
    assert_int_equal(fclose(file), 0);
}

#define SELF_STAT                                                                                                      \
    "42 (a) b (c)) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 7 0 600 1048576 64 18446744073709551615 1 1\n"
#define LIMITS                                                                                                         \
    "Limit                     Soft Limit           Hard Limit           Units     \n"                                 \
    "Max open files            1024                 524288               files     \n"

static int fake_setup(void **state)
{
    struct fake *fake = mem_alloc(sizeof *fake);
    (void)snprintf(fake->root, sizeof fake->root, "/tmp/caudal-proc-XXXXXX");
    assert_non_null(mkdtemp(fake->root));
    char path[128];
    (void)snprintf(path, sizeof path, "%s/self", fake->root);
    assert_int_equal(mkdir(path, 0700), 0);
    (void)snprintf(path, sizeof path, "%s/self/fd", fake->root);
    assert_int_equal(mkdir(path, 0700), 0);
    for (int i = 0; i < 4; i++) { /* the fourth is the one that counting itself opens */
        char name[16];
        (void)snprintf(name, sizeof name, "self/fd/%d", i);
        fake_write(fake, name, "");
    }
    fake_write(fake, "self/stat", SELF_STAT);
    fake_write(fake, "self/limits", LIMITS);
    AUTO_FREE char *interrupts = mem_alloc(100001);
    memset(interrupts, '1', 100000);
    AUTO_FREE char *text = mem_printf("cpu 1 2 3\nintr %s\nctxt 5\nbtime 1700000000\n", interrupts);
    fake_write(fake, "stat", text);
    *state = fake;
    return 0;
}

static int on_entry(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info, (void)kind, (void)where;
    return remove(path);
}

static int fake_teardown(void **state)
{
    struct fake *fake = *state;
    int failed = nftw(fake->root, on_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(fake);
    return failed;
}

static void reads_every_figure(void **state)
{
    const struct fake *fake = *state;
    struct process_usage usage;
    struct error error;
    if (process_usage_read(fake->root, &usage, &error) != ERR_OK)
        fail_msg("%s", error.message);
    int64_t ticks = sysconf(_SC_CLK_TCK);
    assert_int_equal(usage.cpu_user_us, 250 * 1000000 / ticks);
    assert_int_equal(usage.cpu_system_us, 50 * 1000000 / ticks);
    assert_int_equal(usage.threads, 7);
    assert_int_equal(usage.start_ms, 1700000000000 + 600 * 1000 / ticks);
    assert_int_equal(usage.virtual_bytes, 1048576);
    assert_int_equal(usage.resident_bytes, 64 * sysconf(_SC_PAGESIZE));
    assert_int_equal(usage.open_fds, 3);
    assert_int_equal(usage.max_fds, 1024);
    fake_write(fake, "self/limits", "Max open files            unlimited            unlimited            files\n");
    assert_int_equal(process_usage_read(fake->root, &usage, &error), ERR_OK);
    assert_int_equal(usage.max_fds, -1);
}

static void damage_is_an_error(void **state)
{
    const struct fake *fake = *state;
    static const struct {
        const char *name, *broken, *whole;
    } cases[] = {{"self/stat", "42 no parenthesis", SELF_STAT},
                 {"self/stat", "42 (x) S 1 2", SELF_STAT},
                 {"self/limits", "nothing\n", LIMITS},
                 {"stat", "cpu 1\n", "btime 1\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct process_usage usage = {.threads = 99};
        struct error error;
        fake_write(fake, cases[i].name, cases[i].broken);
        if (process_usage_read(fake->root, &usage, &error) != ERR_IO)
            fail_msg("case %zu was accepted", i);
        assert_non_null(strstr(error.message, cases[i].name));
        assert_int_equal(usage.threads, 99);
        fake_write(fake, cases[i].name, cases[i].whole);
        assert_int_equal(process_usage_read(fake->root, &usage, &error), ERR_OK);
    }
    struct process_usage usage;
    assert_int_equal(process_usage_read("/nonexistent", &usage, NULL), ERR_IO);
}

static void this_process_is_plausible(void **state)
{
    (void)state;
    struct process_usage before, after;
    assert_int_equal(process_usage_read("/proc", &before, NULL), ERR_OK);
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(process_usage_read("/proc", &after, NULL), ERR_OK);
    close(fd);
    assert_int_equal(after.open_fds, before.open_fds + 1);
    assert_true(before.resident_bytes > 0 && before.virtual_bytes >= before.resident_bytes);
    assert_true(after.cpu_user_us + after.cpu_system_us >= before.cpu_user_us + before.cpu_system_us);
    assert_true(before.threads >= 1);
    assert_true(before.start_ms > 1000000000000 && before.start_ms < clock_now_ms() + 60000);
}

static void is_part_of_the_exposition(void **state)
{
    (void)state;
    AUTO_METRICS struct metrics *metrics = metrics_new();
    AUTO_BUF struct buf out;
    buf_init(&out, 0);
    metrics_add_process(metrics);
    metrics_print(metrics, &out);
    static const char *const names[] = {
        "process_cpu_seconds_total",  "process_resident_memory_bytes", "process_open_fds",
        "process_start_time_seconds", "process_virtual_memory_bytes",  "process_threads"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        AUTO_FREE char *type = mem_printf("# TYPE %s %s\n%s ", names[i], i == 0 ? "counter" : "gauge", names[i]);
        if (strstr(buf_str(&out), type) == NULL)
            fail_msg("%s is missing in %s", names[i], buf_str(&out));
    }
    assert_non_null(strstr(buf_str(&out), "caudal_build_info{version=\"" CAUDAL_VERSION "\"} 1\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_every_figure, fake_setup, fake_teardown),
        cmocka_unit_test_setup_teardown(damage_is_an_error, fake_setup, fake_teardown),
        cmocka_unit_test(this_process_is_plausible),
        cmocka_unit_test(is_part_of_the_exposition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
