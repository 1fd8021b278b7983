/* command: what a program gets and gives, and that it ends when it must, with all that it started. */
#include "base/mem.h"
#include "support/node_run.h"
#include "nodes/process.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const environment[] = {"PATH", "CAUDAL_TEST_SHOWN", NULL};
static char folder[64];

static int allow(void **state)
{
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN); /* as the service does */
    (void)snprintf(folder, sizeof folder, "/tmp/caudal-command-XXXXXX");
    assert_non_null(mkdtemp(folder));
    setenv("CAUDAL_TEST_SHOWN", "seen", 1);
    setenv("CAUDAL_TEST_HIDDEN", "unseen", 1);
    node_run_allow_command = true;
    node_run_command_environment = environment;
    node_run_data_dir = folder;
    return 0;
}

static int forbid(void **state)
{
    (void)state;
    node_run_allow_command = false;
    node_run_data_dir = NULL;
    AUTO_FREE char *file = mem_printf("%s/pid", folder);
    (void)unlink(file);
    return rmdir(folder);
}

static void is_off_unless_allowed(void **state)
{
    (void)state;
    node_run_allow_command = false;
    node_assert_fails("command", "{\"command\":[\"true\"]}", ERR_UNSUPPORTED, NULL, "COMMAND_NODE_ENABLED");
    node_run_allow_command = true;
}

static void examples(void **state)
{
    (void)state;
    node_assert_examples("command");
}

static void gets_only_what_is_given(void **state)
{
    (void)state;
    struct node_run run;
    node_run(&run, "command", "{\"command\":[\"env\"],\"environment\":{\"OWN\":\"a=b\"}}");
    assert_int_equal(run.code, ERR_OK);
    AUTO_FREE char *expected = mem_printf("PATH=%s\nCAUDAL_TEST_SHOWN=seen\nOWN=a=b\n", getenv("PATH"));
    assert_string_equal(json_get_str(run.call.outputs, "stdout"), expected);
    node_run_done(&run);
    node_run(&run, "command", "{\"command\":[\"env\"],\"environment\":{\"CAUDAL_TEST_SHOWN\":\"other\"}}");
    assert_null(strstr(json_get_str(run.call.outputs, "stdout"), "seen"));
    node_run_done(&run);
    node_run(&run, "command", "{\"command\":[\"pwd\"]}");
    AUTO_FREE char *line = mem_printf("%s\n", folder);
    assert_string_equal(json_get_str(run.call.outputs, "stdout"), line);
    node_run_done(&run);
    /* no descriptor but its own three, and the one ls opens */
    node_assert_outputs("command", "{\"command\":[\"ls\",\"/proc/self/fd\"]}",
                        "{\"stdout\":\"0\\n1\\n2\\n3\\n\",\"stderr\":\"\",\"exitCode\":0,\"signal\":null}");
}

static void input_and_output(void **state)
{
    (void)state;
    node_assert_outputs("command", "{\"command\":[\"cat\"]}",
                        "{\"stdout\":\"\",\"stderr\":\"\",\"exitCode\":0,\"signal\":null}");
    node_assert_outputs("command", "{\"command\":[\"cat\"],\"stdin\":{\"a\":[1]},\"outputAs\":\"json\"}",
                        "{\"stdout\":{\"a\":[1]},\"stderr\":\"\",\"exitCode\":0,\"signal\":null}");
    node_assert_outputs("command", "{\"command\":[\"printf\",\"a\\\\377b\\\\0\"]}",
                        "{\"stdout\":\"a\xEF\xBF\xBD"
                        "b\xEF\xBF\xBD\",\"stderr\":\"\",\"exitCode\":0,\"signal\":null}");
    node_assert_outputs("command", "{\"command\":[\"printf\",\"\\\\377\"],\"outputAs\":\"binary\"}",
                        "{\"stdout\":{\"base64\":\"/w==\",\"contentType\":\"application/octet-stream\",\"size\":1},"
                        "\"stderr\":\"\",\"exitCode\":0,\"signal\":null}");
    node_assert_fails("command", "{\"command\":[\"echo\",\"{\"],\"outputAs\":\"json\"}", ERR_NODE, "outputAs", "JSON");
}

/* More than a pipe holds, in both directions at once; and a program that reads none of it. */
static void much_input(void **state)
{
    (void)state;
    AUTO_FREE char *text = mem_alloc((2 << 20) + 1);
    memset(text, 'x', 2 << 20);
    struct json *config = json_from("{\"command\":[\"cat\"],\"maxOutputBytes\":2097152}");
    json_set_str(config, "stdin", text);
    struct node_run run;
    node_run_json(&run, "command", config);
    assert_int_equal(run.code, ERR_OK);
    assert_true(json_equal(json_get(run.call.outputs, "stdout"), json_get(run.inputs, "stdin")));
    node_run_done(&run);
    config = json_from("{\"command\":[\"true\"]}");
    json_set_str(config, "stdin", text);
    node_run_json(&run, "command", config);
    assert_int_equal(run.code, ERR_OK);
    node_run_done(&run);
}

static void exit_status(void **state)
{
    (void)state;
    node_assert_fails("command", "{\"command\":[\"sh\",\"-c\",\"echo one >&2; echo two >&2; exit 3\"]}", ERR_NODE, NULL,
                      "ended with status 3: two");
    node_assert_fails("command", "{\"command\":[\"false\"]}", ERR_NODE, NULL, "ended with status 1.");
    node_assert_fails("command", "{\"command\":[\"sh\",\"-c\",\"kill -TERM $$\"]}", ERR_NODE, NULL, "signal 15");
    node_assert_outputs("command", "{\"command\":[\"sh\",\"-c\",\"echo no >&2; exit 3\"],\"failOnExit\":false}",
                        "{\"stdout\":\"\",\"stderr\":\"no\\n\",\"exitCode\":3,\"signal\":null}");
    node_assert_outputs("command", "{\"command\":[\"sh\",\"-c\",\"kill -9 $$\"],\"failOnExit\":false}",
                        "{\"stdout\":\"\",\"stderr\":\"\",\"exitCode\":null,\"signal\":9}");
}

static void wrong_settings(void **state)
{
    (void)state;
    node_assert_fails("command", "{}", ERR_VALIDATION, "command", NULL);
    node_assert_fails("command", "{\"command\":\"ls -l\"}", ERR_VALIDATION, "command", NULL);
    node_assert_fails("command", "{\"command\":[]}", ERR_VALIDATION, "command", NULL);
    node_assert_fails("command", "{\"command\":[\"ls\",7]}", ERR_VALIDATION, "command[1]", NULL);
    node_assert_fails("command", "{\"command\":[\"\"]}", ERR_VALIDATION, "command[0]", "program");
    node_assert_fails("command", "{\"command\":[\"ls\",\"a\\u0000b\"]}", ERR_VALIDATION, "command[1]", "NUL");
    node_assert_fails("command", "{\"command\":[\"env\"],\"environment\":{\"A=B\":\"x\"}}", ERR_VALIDATION,
                      "environment.A=B", "letters");
    node_assert_fails("command", "{\"command\":[\"env\"],\"environment\":{\"A\":7}}", ERR_VALIDATION, "environment.A",
                      "string");
    node_assert_fails("command", "{\"command\":[\"true\"],\"maxOutputBytes\":0}", ERR_VALIDATION, "maxOutputBytes",
                      NULL);
    node_assert_fails("command", "{\"command\":[\"/no/such/program\"]}", ERR_NODE, "command[0]", "No such file");
    node_assert_fails("command", "{\"command\":[\"/etc/passwd\"]}", ERR_NODE, "command[0]", "denied");
    AUTO_FREE char *text = mem_alloc((101 << 10) + 1);
    memset(text, 'x', 101 << 10);
    AUTO_FREE char *config = mem_printf("{\"command\":[\"true\",\"%s\"]}", text);
    node_assert_fails("command", config, ERR_LIMIT, "command", "stdin");
    AUTO_FREE char *variables = mem_printf("{\"command\":[\"true\"],\"environment\":{\"A\":\"%s\"}}", text);
    node_assert_fails("command", variables, ERR_LIMIT, "environment", NULL);
}

static pid_t read_pid(void)
{
    AUTO_FREE char *path = mem_printf("%s/pid", folder);
    FILE *file = fopen(path, "r");
    int pid = 0;
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%d", &pid), 1);
    (void)fclose(file);
    (void)unlink(path);
    return pid;
}

/* It was killed; who reaps it takes its time. */
static void assert_gone(pid_t pid)
{
    AUTO_FREE char *path = mem_printf("/proc/%d/stat", (int)pid);
    for (int i = 0; i < 2000; i++) {
        FILE *file = fopen(path, "r");
        char state = 'X';
        if (file == NULL)
            return;
        bool known = fscanf(file, "%*d (%*[^)]) %c", &state) == 1;
        (void)fclose(file);
        if (!known || state == 'Z' || state == 'X')
            return;
        usleep(10000);
    }
    fail_msg("process %d still runs", (int)pid);
}

static void is_killed_with_its_children(void **state)
{
    (void)state;
    node_run_timeout_ms = 1500;
    node_assert_fails("command", "{\"command\":[\"sh\",\"-c\",\"sleep 600 & echo $! >pid; wait\"]}", ERR_DEADLINE, NULL,
                      "within 1500 ms");
    assert_gone(read_pid());
    node_run_timeout_ms = 0;
    /* it ends, and leaves a child that holds its output open */
    node_assert_outputs("command", "{\"command\":[\"sh\",\"-c\",\"sleep 600 & echo $! >pid; echo left\"]}",
                        "{\"stdout\":\"left\\n\",\"stderr\":\"\",\"exitCode\":0,\"signal\":null}");
    assert_gone(read_pid());
    node_assert_fails("command", "{\"command\":[\"sh\",\"-c\",\"sleep 600 & echo $! >pid; exec yes\"]}", ERR_LIMIT,
                      NULL, "more than 1048576 bytes to its standard output");
    assert_gone(read_pid());
    node_assert_fails("command", "{\"command\":[\"sh\",\"-c\",\"exec yes >&2\"],\"maxOutputBytes\":1000}", ERR_LIMIT,
                      NULL, "standard error");
}

struct killing {
    struct loop *loop;
    struct process *process;
};

static void never(void *user, const struct process_result *result, const struct error *error)
{
    (void)user;
    (void)result;
    (void)error;
    fail_msg("no completion follows process_kill");
}

static void kill_it(void *user)
{
    struct killing *killing = user;
    static const char *const arguments[] = {"/bin/sleep", "600", NULL};
    static const char *const none[] = {NULL};
    struct process_options options = {
        .arguments = arguments, .environment = none, .folder = "/", .max_bytes = 100, .timeout_ms = 600000};
    struct error error;
    assert_int_equal(process_start(killing->loop, &options, never, NULL, &killing->process, &error), ERR_OK);
    process_kill(killing->process);
    process_kill(NULL);
    loop_stop(killing->loop);
}

static void can_be_stopped(void **state)
{
    (void)state;
    struct killing killing = {.loop = loop_new()};
    loop_post(killing.loop, kill_it, &killing);
    loop_run(killing.loop);
    loop_free(killing.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_off_unless_allowed),
        cmocka_unit_test(examples),
        cmocka_unit_test(gets_only_what_is_given),
        cmocka_unit_test(input_and_output),
        cmocka_unit_test(much_input),
        cmocka_unit_test(exit_status),
        cmocka_unit_test(wrong_settings),
        cmocka_unit_test(is_killed_with_its_children),
        cmocka_unit_test(can_be_stopped),
    };
    return cmocka_run_group_tests(tests, allow, forbid);
}
