/* The runners: limits, isolation, crashes, and the same values as plain paths have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "expression/path.h"
#include "support/script_kit.h"
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DATA "{\"now\":1740792600250,\"input\":{\"a\":[1,2],\"name\":\"Zoë\"}}"

static struct script_kit kit;

static int setup(void **state)
{
    (void)state;
    script_kit_init(&kit, 1, 3000, 64);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    script_kit_done(&kit);
    return 0;
}

static void assert_expression(const char *source, const char *expected)
{
    AUTO_FREE char *value = script_kit_expression(&kit, "f/1", source, DATA);
    assert_string_equal(value, expected);
}

static void assert_code(const char *realm, const char *code, const char *expected)
{
    AUTO_FREE char *value = script_kit_code(&kit, realm, code, DATA);
    assert_string_equal(value, expected);
}

static void assert_holds(char *take_text, const char *part)
{
    AUTO_FREE char *text = take_text;
    if (strstr(text, part) == NULL)
        fail_msg("it should say '%s': %s", part, text);
}

static void test_values(void **state)
{
    (void)state;
    assert_expression("input.a.map(x => x * 2)", "[2,4]");
    assert_expression("input.b", "undefined");
    assert_expression("now.getTime()", "1740792600250");
    assert_expression("() => 1", "undefined");
    assert_expression("0 / 0", "null");
    assert_expression("a); b; (c",
                      "error: SyntaxError: Unexpected token ')'. Expected either a closing ']' or a ',' following an "
                      "array element.");
    assert_expression("nothing.here", "error: ReferenceError: Can't find variable: nothing");
    assert_expression("Promise.resolve(1)", "error: TypeError: It gives a promise; only code nodes can wait for one");
}

static void test_functions_given(void **state)
{
    (void)state;
    static const struct {
        const char *source, *expected;
    } cases[] = {
        {"$date.format(now, 'yyyy-MM-dd HH:mm XXX', 'Europe/Madrid')", "\"2025-03-01 02:30 +01:00\""},
        {"$date.format(now, \"EEEE d 'de' MMMM\", 'Europe/Madrid', 'es')", "\"sábado 1 de marzo\""},
        {"$date.parse('2025-03-30 02:30', 'Europe/Madrid')", "\"2025-03-30T01:30:00.000Z\""}, /* a gap */
        {"$date.parse('2025-10-26 02:30', 'Europe/Madrid')", "\"2025-10-26T00:30:00.000Z\""}, /* twice: the earlier */
        {"$date.add('2025-03-29T12:00:00Z', 1, 'day', 'Europe/Madrid')", "\"2025-03-30T11:00:00.000Z\""},
        {"$date.add('2025-01-31', {months: 1, days: 1})", "\"2025-03-01T00:00:00.000Z\""},
        {"$date.startOf('2025-11-24T18:45:10Z', 'week', 'Europe/Madrid')", "\"2025-11-23T23:00:00.000Z\""},
        {"$date.startOf('2025-11-24T18:45:10.123Z', 'hour', 'Asia/Kolkata')", "\"2025-11-24T18:30:00.000Z\""},
        {"$date.endOf('2025-02-10', 'month')", "\"2025-02-28T23:59:59.999Z\""},
        {"$date.diff('2025-01-31', '2025-03-01', 'months')", "1"},
        {"$date.diff('2025-03-29T12:00', '2025-03-30T12:00', 'days', 'Europe/Madrid')", "1"},
        {"$date.parts('2025-11-24T23:30:00Z', 'Europe/Madrid').day", "25"},
        {"$text.slug('Año Nuevo: ¡Olé!')", "\"ano-nuevo-ole\""},
        {"$text.camel('order line id')", "\"orderLineId\""},
        {"$text.truncate('abcdef', 4)", "\"abc…\""},
        {"$hash.sha256('abc')", "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\""},
        {"$hash.md5('abc')", "\"900150983cd24fb0d6963f7d28e17f72\""},
        {"$hash.hmac('sha256', 'Jefe', 'what do ya want for nothing?')",
         "\"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843\""},
        {"$encode.base64('hé') + $encode.fromBase64('aMOp') + $encode.base64url('\\x3f?>')", "\"aMOphéPz8-\""},
        {"$encode.hex('hé') + $encode.fromHex('68c3a9')", "\"68c3a9hé\""},
        {"$encode.query({a: 'x y', b: [1, 2], c: null})", "\"a=x%20y&b=1&b=2\""},
        {"$encode.fromBase64('/w==')", "error: RangeError: The text is no base64 of UTF-8 text."},
        {"$date.parse('2025-02-30')", "error: RangeError: \"2025-02-30\" is no date of the calendar."},
        {"$date.format(now, 'HH', 'Mars/Base')",
         "error: RangeError: There is no time zone \"Mars/Base\"; use a name such as Europe/Madrid."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_expression(cases[i].source, cases[i].expected);
}

static void test_nothing_can_be_changed(void **state)
{
    (void)state;
    static const char *const attempts[] = {
        "globalThis.leak = 1",
        "Array.prototype.push = () => 666",
        "Object.prototype.leak = 1",
        "Object.prototype.toString = () => 'leak'",
        "Object.defineProperty(Array.prototype, 'map', {value: 1})",
        "Math.random = () => 4",
        "Date.now = () => 4",
        "JSON.stringify = () => 'leak'",
        "$date.format = 1",
        "console.log.leak = 1",
        "Object.setPrototypeOf(Map.prototype, {leak: 1})",
        "(async function* () {})().__proto__.__proto__.leak = 1",
        "[].values().__proto__.leak = 1",
        "Symbol.for('leak').__proto__.leak = 1",
        "Intl.DateTimeFormat.prototype.leak = 1",
        "Function('leak2 = 1; return this')().leak = 1",
        "(0, eval)('var leak = 1')",
        "Error.stackTraceLimit = 0",
        "delete globalThis.Array",
        "Promise.prototype.then = 1",
    };
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++)
        assert_holds(script_kit_code(&kit, "f/1", attempts[i], DATA), "NODE_FAILED");
    static const char intact[] = "return [typeof leak, typeof leak2, ({}).leak, [].leak, [1].map(x => x + 1), "
                                 "Math.random() < 1, Date.now() > 9, "
                                 "String({}), typeof Array, new Map().leak, (async () => {}).leak, typeof RegExp.$1, "
                                 "typeof WeakRef, typeof Atomics, "
                                 "typeof WebAssembly, typeof SharedArrayBuffer]";
    static const char expected[] =
        "[\"undefined\",\"undefined\",null,null,[2],true,true,\"[object Object]\",\"function\",null,null,\"undefined\","
        "\"undefined\",\"undefined\",\"undefined\",\"undefined\"]";
    assert_code("f/1", intact, expected); /* the same world */
    assert_code("g/1", intact, expected);
}

static void test_own_members_are_ones_own(void **state)
{
    (void)state;
    assert_code("f/1",
                "const e = new Error('x'); e.name = 'Mine'; const o = {}; o.constructor = 1; o.toString = () => 'own'; "
                "class A { toString() { return 'a' } } A.prototype.valueOf = () => 7; return [e.name, o, String(o), "
                "String(new A()), +new A()]",
                "[\"Mine\",{\"constructor\":1},\"own\",\"a\",7]");
}

static void test_a_mapping_has_a_world_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        AUTO_FREE char *text = script_kit_call(&kit, SCRIPT_MAP, "",
                                               "[\"n = (globalThis.n || 0) + 1; Array.prototype.map = 1; return n\"]",
                                               "{\"v\":[[0,0]],\"u\":[[0,0]]}", NULL);
        assert_string_equal(text, "{\"v\":[{\"v\":[1,2],\"u\":[],\"x\":[]}]}");
    }
    assert_code("f/1", "return typeof n + [1].map(x => x)", "\"undefined1\"");
}

static void test_limits(void **state)
{
    (void)state;
    assert_holds(script_kit_code(&kit, "f/1", "for (;;) {}", DATA),
                 "LIMIT_EXCEEDED: The script took longer than 3000 ms");
    assert_holds(script_kit_code(&kit, "f/1", "for (;;) await 1", DATA), "LIMIT_EXCEEDED: The script took longer");
    assert_holds(script_kit_code(&kit, "f/1", "const f = () => f() + 1; return f()", DATA),
                 "Maximum call stack size exceeded");
    assert_holds(script_kit_code(&kit, "f/1", "return 'x'.repeat(17e6)", DATA),
                 "LIMIT_EXCEEDED: The result has more than");
    assert_holds(script_kit_code(&kit, "f/1", "let a = {}; for (let i = 0; i < 100; i++) a = {a}; return a", DATA),
                 "nested deeper than 64");
    static const char *const bombs[] = {"const a = []; for (;;) a.push({a: 1, b: [1, 2, 3]})",
                                        "const a = []; for (;;) a.push(new Uint8Array(1 << 20).fill(1))",
                                        "let s = 'x'; for (;;) { s += s; s.charCodeAt(1) }",
                                        "return new Array(2 ** 28).fill(0).length"};
    for (size_t i = 0; i < sizeof bombs / sizeof *bombs; i++)
        assert_holds(script_kit_code(&kit, "f/1", bombs[i], DATA), "LIMIT_EXCEEDED");
    assert_code("f/1", "return 1", "1");
}

/* What one call leaves lying about is not charged to the next, which may use as much as it may ever use. */
static void test_the_next_call_has_its_share(void **state)
{
    (void)state;
    static const char glutton[] =
        "const a = []; try { for (let i = 0; i < 13; i++) a.push(new Uint8Array(8 << 20).fill(1)) } "
        "catch (e) {} return 1";
    for (int i = 0; i < 12; i++) {
        AUTO_FREE char *realm = mem_printf("glutton-%d/1", i);
        assert_code(realm, glutton, "1");
        assert_code("neighbour/1", "return new Uint8Array(60 << 20).fill(2)[5]", "2");
    }
}

static void test_nothing_outside(void **state)
{
    (void)state;
    assert_code("f/1",
                "return [typeof require, typeof process, typeof fetch, typeof XMLHttpRequest, typeof setTimeout, "
                "typeof Bun, typeof Deno, await import('fs').then(() => 'module', () => 'none')]",
                "[\"undefined\",\"undefined\",\"undefined\",\"undefined\",\"undefined\",\"undefined\",\"undefined\","
                "\"none\"]");
}

/* ---- crashes and crowds */

/* The children of this process that run as caudal. */
static unsigned find_runners(pid_t *pids, unsigned most)
{
    unsigned count = 0;
    DIR *proc = opendir("/proc");
    for (struct dirent *entry; (entry = readdir(proc)) != NULL && count < most;) {
        char path[300], text[512] = "";
        (void)snprintf(path, sizeof path, "/proc/%s/stat", entry->d_name);
        FILE *file = fopen(path, "re");
        if (file == NULL)
            continue;
        size_t n = fread(text, 1, sizeof text - 1, file);
        (void)fclose(file);
        text[n] = '\0';
        const char *rest = strrchr(text, ')');
        int parent = 0;
        if (rest != NULL && sscanf(rest, ") %*c %d", &parent) == 1 && parent == (int)getpid())
            pids[count++] = (pid_t)atoi(entry->d_name);
    }
    (void)closedir(proc);
    return count;
}

static void kill_runners(void *user)
{
    pid_t pids[16];
    unsigned n = find_runners(pids, 16);
    assert_true(n > 0);
    for (unsigned i = 0; i < n; i++)
        (void)kill(pids[i], SIGKILL);
    loop_timer_free(*(struct loop_timer **)user);
}

static void test_a_killed_runner_is_one_error(void **state)
{
    (void)state;
    assert_code("f/1", "return 1", "1"); /* it is there */
    struct loop_timer *timer = NULL;
    timer = loop_timer_new(kit.loop, kill_runners, &timer);
    loop_timer_set(timer, 30);
    assert_holds(script_kit_code(&kit, "f/1", "for (;;) {}", DATA), "NODE_FAILED: The script's runner died (signal 9)");
    assert_code("f/1", "return 2", "2");
}

struct crowd {
    struct loop *loop;
    unsigned left, good, limited, other;
};

static void on_one(void *user, const struct script_answer *answer)
{
    struct crowd *crowd = user;
    crowd->good += answer->error.code == ERR_OK;
    if (answer->error.code != ERR_OK && strstr(answer->error.message, "took longer") == NULL)
        print_error("%s\n", answer->error.message);
    crowd->limited += answer->error.code == ERR_LIMIT;
    crowd->other += answer->error.code != ERR_OK && answer->error.code != ERR_LIMIT;
    if (--crowd->left == 0)
        loop_stop(crowd->loop);
}

/* Those who loop end with an error, and nobody else notices. */
static void test_a_crowd(void **state)
{
    (void)state;
    struct script_kit own;
    script_kit_init(&own, 2, 1000, 64);
    struct crowd crowd = {.loop = own.loop, .left = 3000};
    static const char data[] = DATA, good[] = "{\"mode\":\"once\",\"code\":\"return input.a[1]\"}",
                      bad[] = "{\"mode\":\"once\",\"code\":\"for (;;) {}\"}";
    for (unsigned i = 0; i < 3000; i++) {
        bool loops = i % 1000 == 500;
        (void)script_pool_start(own.pool,
                                &(struct script_request){.kind = SCRIPT_CODE,
                                                         .realm = i % 2 == 0 ? "a/1" : "b/1",
                                                         .program = loops ? bad : good,
                                                         .program_bytes = (loops ? sizeof bad : sizeof good) - 1,
                                                         .data = data,
                                                         .data_bytes = sizeof data - 1},
                                on_one, &crowd);
    }
    loop_run(own.loop);
    assert_int_equal(crowd.good, 2997);
    assert_int_equal(crowd.limited, 3);
    assert_int_equal(crowd.other, 0);
    script_kit_done(&own);
}

static void never(void *user, const struct script_answer *answer)
{
    (void)user;
    (void)answer;
    fail_msg("it was aborted");
}

static void test_aborted_calls_say_nothing(void **state)
{
    (void)state;
    static const char program[] = "{\"mode\":\"once\",\"code\":\"for (let i = 0; i < 1e7; i++) {}\"}", data[] = DATA;
    const struct script_request request = {.kind = SCRIPT_CODE,
                                           .realm = "f/1",
                                           .program = program,
                                           .program_bytes = sizeof program - 1,
                                           .data = data,
                                           .data_bytes = sizeof data - 1};
    struct script_call *calls[10];
    for (int i = 0; i < 10; i++)
        calls[i] = script_pool_start(kit.pool, &request, never, NULL);
    script_call_abort(calls[9]); /* still waiting */
    struct crowd crowd = {.loop = kit.loop, .left = 1};
    (void)script_pool_start(kit.pool, &request, on_one, &crowd);
    for (int i = 0; i < 9; i++)
        script_call_abort(calls[i]);
    loop_run(kit.loop);
    assert_int_equal(crowd.good, 1);
}

/* ---- plain paths in C and in JavaScript */

static const char *const words[] = {"a",    "b",   "length", "0",        "1", "2",
                                    "name", "c d", "map",    "toString", "x", "constructor"};
static const char corpus[] =
    "{\"a\":[1,{\"b\":null,\"a\":[true,\"x\"]},\"Zoë😀\"],\"b\":{\"length\":3,\"c d\":{\"a\":0.1}},"
    "\"name\":\"n\",\"1\":[],\"x\":-0.0,\"map\":{\"x\":1e21}}";

static void make_path(struct rng *rng, struct buf *out)
{
    buf_add_str(out, rng_below(rng, 5) == 0 ? "nodes.x" : "input");
    for (uint64_t n = rng_below(rng, 5); n > 0; n--) {
        const char *word = words[rng_below(rng, sizeof words / sizeof *words)];
        bool digit = word[0] <= '9', blank = strchr(word, ' ') != NULL;
        const char *optional = rng_below(rng, 4) == 0 ? "?." : "";
        if (digit && rng_below(rng, 2) == 0)
            buf_printf(out, "%s[%s]", optional, word);
        else if (digit || blank || rng_below(rng, 4) == 0)
            buf_printf(out, "%s[\"%s\"]", optional, word);
        else
            buf_printf(out, "%s%s", *optional != '\0' ? optional : ".", word);
    }
}

static bool find(void *user, enum expression_name name, const char *key, struct json **ret)
{
    *ret = json_ref(user);
    return name == NAME_INPUT || (name == NAME_NODES && strcmp(key, "x") == 0);
}

static void test_paths_are_as_in_javascript(void **state)
{
    (void)state;
    AUTO_JSON struct json *value = NULL, *program = json_array_new(), *results = NULL;
    assert_int_equal(json_parse(corpus, sizeof corpus - 1, &value, NULL), ERR_OK);
    struct rng rng = {.state = 4711};
    for (int i = 0; i < 1500; i++) {
        AUTO_BUF struct buf path;
        buf_init(&path, 0);
        make_path(&rng, &path);
        json_push(program, json_string_new(buf_str(&path)));
    }
    AUTO_FREE char *text = json_dup_text(program),
                   *data = mem_printf("{\"now\":0,\"input\":%s,\"nodes\":{\"x\":%s}}", corpus, corpus);
    AUTO_FREE char *answer = script_kit_call(&kit, SCRIPT_EXPRESSIONS, "f/1", text, data, NULL);
    assert_int_equal(json_parse(answer, strlen(answer), &results, NULL), ERR_OK);
    const struct expression_source source = {.user = value, .find = find};
    unsigned in_c = 0;
    for (size_t i = 0; i < 1500; i++) {
        struct arena arena;
        struct path path;
        struct error error;
        AUTO_JSON struct json *found = NULL;
        const char *expression = json_as_str(json_at(program, i));
        const struct json *expected = json_at(results, i);
        arena_init(&arena);
        assert_true(path_parse(expression, strlen(expression), &arena, &path));
        enum path_outcome outcome = path_evaluate(&path, &source, &found, &error);
        bool same = outcome == PATH_NEEDS_SCRIPT || (outcome == PATH_ERROR && json_has(expected, "e")) ||
                    (outcome == PATH_UNDEFINED && json_count(expected) == 0) ||
                    (outcome == PATH_VALUE && json_has(expected, "v") && json_equal(found, json_get(expected, "v")));
        if (!same)
            fail_msg("%s: outcome %d in C", expression, (int)outcome);
        in_c += outcome != PATH_NEEDS_SCRIPT;
        path_done(&path);
        arena_done(&arena);
    }
    assert_true(in_c > 1000);
}

/* Every member that values inherit is known to the paths. */
static void test_inherited_names_are_known(void **state)
{
    (void)state;
    AUTO_FREE char *text = script_kit_expression(
        &kit, "f/1",
        "[...new Set([Object, Array, String, Number, Boolean].flatMap(x => Object.getOwnPropertyNames(x.prototype)))]",
        DATA);
    AUTO_JSON struct json *names = NULL;
    assert_int_equal(json_parse(text, strlen(text), &names, NULL), ERR_OK);
    assert_true(json_count(names) > 60);
    for (size_t i = 0; i < json_count(names); i++) {
        const char *name = json_as_str(json_at(names, i));
        if (strcmp(name, "length") != 0 && !path_is_inherited(name))
            fail_msg("%s", name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_functions_given),
        cmocka_unit_test(test_nothing_can_be_changed),
        cmocka_unit_test(test_own_members_are_ones_own),
        cmocka_unit_test(test_a_mapping_has_a_world_of_its_own),
        cmocka_unit_test(test_nothing_outside),
        cmocka_unit_test(test_paths_are_as_in_javascript),
        cmocka_unit_test(test_inherited_names_are_known),
        cmocka_unit_test(test_aborted_calls_say_nothing),
        cmocka_unit_test(test_a_killed_runner_is_one_error),
        cmocka_unit_test(test_a_crowd),
        cmocka_unit_test(test_the_next_call_has_its_share),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
