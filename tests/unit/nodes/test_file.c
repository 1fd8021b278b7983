/* file: what it does below the data directory, and that nothing leads out of it. */
#include "base/mem.h"
#include "support/node_run.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64]; /* holds data/ and, outside of it, secret.txt and out/ */
static char data[80];

static void in_folder(const char *command)
{
    AUTO_FREE char *line = mem_printf("cd %s && %s", folder, command);
    if (system(line) != 0)
        fail_msg("failed: %s", line);
}

static int make(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/caudal-file-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(data, sizeof data, "%s/data", folder);
    in_folder("mkdir -p data/in data/full/deep out && printf secret >secret.txt && printf x >out/x.txt && "
              "ln -s ../secret.txt data/link.txt && ln -s ../out data/away && mkfifo data/pipe && printf '{\"total\": "
              "12}' >data/in/report.json && printf '\\377' >data/in/image.bin && printf a >data/a.txt && printf b "
              ">data/b.txt && touch data/.hidden");
    node_run_data_dir = data;
    return 0;
}

static int clean(void **state)
{
    (void)state;
    in_folder("cd / && rm -rf \"$OLDPWD\"");
    node_run_data_dir = NULL;
    return 0;
}

static void examples(void **state)
{
    (void)state;
    node_assert_examples("file");
    node_assert_outputs("file", "{\"operation\":\"delete\",\"path\":\"done/report.json\"}",
                        "{\"result\":false,\"path\":\"done/report.json\",\"count\":0}");
    node_assert_outputs("file", "{\"operation\":\"delete\",\"path\":\"done\"}",
                        "{\"result\":true,\"path\":\"done\",\"count\":1}");
    node_assert_outputs("file", "{\"operation\":\"delete\",\"path\":\"done/report.json\"}",
                        "{\"result\":false,\"path\":\"done/report.json\",\"count\":0}");
}

static void reads(void **state)
{
    (void)state;
    in_folder("printf abc >data/three.txt");
    node_assert_outputs("file", "{\"path\":\"a.txt\"}", "{\"result\":\"a\",\"path\":\"a.txt\",\"count\":1}");
    node_assert_outputs("file", "{\"path\":\"in/image.bin\",\"outputAs\":\"binary\"}",
                        "{\"result\":{\"base64\":\"/w==\",\"contentType\":\"application/octet-stream\",\"size\":1},"
                        "\"path\":\"in/image.bin\",\"count\":1}");
    node_assert_fails("file", "{\"path\":\"in/image.bin\"}", ERR_NODE, "outputAs", "binary");
    node_assert_fails("file", "{\"path\":\"a.txt\",\"outputAs\":\"json\"}", ERR_NODE, "outputAs", "JSON");
    node_assert_fails("file", "{\"path\":\"three.txt\",\"maxBytes\":2}", ERR_LIMIT, "path", "2 bytes");
    node_assert_fails("file", "{\"path\":\"missing.txt\"}", ERR_NODE, "path", "no file");
    node_assert_fails("file", "{\"path\":\"in\"}", ERR_VALIDATION, "path", NULL);
    node_assert_fails("file", "{}", ERR_VALIDATION, "path", NULL);
}

static void assert_names(const char *config, const char *names)
{
    struct node_run run;
    node_run(&run, "file", config);
    if (run.code != ERR_OK)
        fail_msg("failed: %s", run.error.message);
    const struct json *entries = json_get(run.call.outputs, "result");
    char text[500] = "";
    for (size_t i = 0; i < json_count(entries); i++) {
        const struct json *entry = json_at(entries, i);
        AUTO_FREE char *line = mem_printf("%s %s %d;", json_get_str(entry, "path"), json_get_str(entry, "type"),
                                          (int)json_get_int(entry, "bytes", -1));
        strncat(text, line, sizeof text - strlen(text) - 1);
        assert_int_equal(strlen(json_get_str(entry, "modifiedAt")), 24);
    }
    assert_string_equal(text, names);
    assert_int_equal(json_get_int(run.call.outputs, "count", -1), json_count(entries));
    node_run_done(&run);
}

static void lists(void **state)
{
    (void)state;
    assert_names("{\"operation\":\"list\"}", "a.txt file 1;away other 0;b.txt file 1;full folder 0;in folder 0;"
                                             "link.txt other 0;pipe other 0;");
    assert_names("{\"operation\":\"list\",\"path\":\"full\"}", "full/deep folder 0;");
    assert_names("{\"operation\":\"list\",\"pattern\":\"?.txt\"}", "a.txt file 1;b.txt file 1;");
    assert_names("{\"operation\":\"list\",\"pattern\":\"*.none\"}", "");
    node_assert_fails("file", "{\"operation\":\"list\",\"path\":\"missing\"}", ERR_NODE, "path", "no file");
    node_assert_fails("file", "{\"operation\":\"list\",\"path\":\"a.txt\"}", ERR_VALIDATION, "path", NULL);
    in_folder("mkdir data/many && cd data/many && seq 10001 | xargs touch");
    node_assert_fails("file", "{\"operation\":\"list\",\"path\":\"many\"}", ERR_LIMIT, "path", "10000");
}

static void deletes_and_moves(void **state)
{
    (void)state;
    node_assert_fails("file", "{\"operation\":\"delete\",\"path\":\"full\"}", ERR_NODE, "path", "not empty");
    node_assert_fails("file", "{\"operation\":\"delete\",\"path\":\"none\",\"mustExist\":true}", ERR_NODE, "path",
                      NULL);
    node_assert_fails("file", "{\"operation\":\"move\",\"path\":\"a.txt\"}", ERR_VALIDATION, "to", "required");
    node_assert_fails("file", "{\"operation\":\"move\",\"path\":\"a.txt\",\"to\":\"b.txt\"}", ERR_NODE, "to",
                      "replace");
    node_assert_fails("file", "{\"operation\":\"move\",\"path\":\"a.txt\",\"to\":\"full\"}", ERR_VALIDATION, "to",
                      NULL);
    node_assert_fails("file", "{\"operation\":\"move\",\"path\":\"full\",\"to\":\"x\"}", ERR_VALIDATION, "path", NULL);
    node_assert_fails("file", "{\"operation\":\"move\",\"path\":\"none\",\"to\":\"x\"}", ERR_NODE, "path", "no file");
    in_folder("test $(cat data/a.txt) = a && test $(cat data/b.txt) = b");
    node_assert_outputs("file", "{\"operation\":\"move\",\"path\":\"a.txt\",\"to\":\"b.txt\",\"replace\":true}",
                        "{\"result\":true,\"path\":\"b.txt\",\"count\":1}");
    in_folder("test ! -e data/a.txt && test $(cat data/b.txt) = a");
}

static void nothing_leads_out(void **state)
{
    (void)state;
    static const char *const outside[] = {
        "../secret.txt", "/etc/passwd", "in/../../secret.txt", "link.txt", "away/x.txt", "pipe", "a\\\\b", "in/"};
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        AUTO_FREE char *read = mem_printf("{\"path\":\"%s\"}", outside[i]);
        AUTO_FREE char *delete = mem_printf("{\"operation\":\"delete\",\"path\":\"%s\"}", outside[i]);
        AUTO_FREE char *from = mem_printf("{\"operation\":\"move\",\"path\":\"%s\",\"to\":\"x\"}", outside[i]);
        AUTO_FREE char *to =
            mem_printf("{\"operation\":\"move\",\"path\":\"b.txt\",\"to\":\"%s\",\"replace\":true}", outside[i]);
        node_assert_fails("file", read, ERR_VALIDATION, "path", NULL);
        node_assert_fails("file", delete, ERR_VALIDATION, "path", NULL);
        node_assert_fails("file", from, ERR_VALIDATION, "path", NULL);
        node_assert_fails("file", to, ERR_VALIDATION, "to", NULL);
    }
    node_assert_fails("file", "{\"operation\":\"list\",\"path\":\"away\"}", ERR_VALIDATION, "path", "symbolic link");
    node_assert_fails("file", "{\"operation\":\"list\",\"path\":\"..\"}", ERR_VALIDATION, "path", NULL);
    in_folder("test $(cat secret.txt) = secret && test $(cat out/x.txt) = x && test $(ls out) = x.txt");
}

static void wrong_settings(void **state)
{
    (void)state;
    node_assert_fails("file", "{\"operation\":\"copy\",\"path\":\"b.txt\"}", ERR_VALIDATION, "operation", NULL);
    node_assert_fails("file", "{\"path\":7}", ERR_VALIDATION, "path", NULL);
    node_assert_fails("file", "{\"path\":\"b.txt\\u0000c\"}", ERR_VALIDATION, "path", "NUL");
    node_assert_fails("file", "{\"path\":\"b.txt\",\"maxBytes\":99999999}", ERR_VALIDATION, "maxBytes", NULL);
    node_run_data_dir = NULL;
    node_assert_fails("file", "{\"path\":\"b.txt\"}", ERR_UNSUPPORTED, "path", "data directory");
    node_assert_fails("file", "{\"operation\":\"list\"}", ERR_UNSUPPORTED, "path", "data directory");
    node_run_data_dir = data;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists),
        cmocka_unit_test(examples),
        cmocka_unit_test(reads),
        cmocka_unit_test(deletes_and_moves),
        cmocka_unit_test(nothing_leads_out),
        cmocka_unit_test(wrong_settings),
    };
    return cmocka_run_group_tests(tests, make, clean);
}
