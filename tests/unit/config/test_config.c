/* Loading: defaults, refusals, rules, masks. The environment is a list in the test. */
#include "config/config.h"
#include "json/json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define SECRET "0123456789abcdef0123456789abcdef"
#define DISTRIBUTED "DATABASE_URL=postgresql://u:p@db/flow", "RABBITMQ_URL=amqp://u:p@mq:5672"

/* `user` is a NULL-terminated list of NAME=value. */
static const char *get_from_list(void *user, const char *name)
{
    for (const char *const *entry = user; *entry != NULL; entry++)
        if (strncmp(*entry, name, strlen(name)) == 0 && (*entry)[strlen(name)] == '=')
            return *entry + strlen(name) + 1;
    return NULL;
}

#define LIST(...) ((void *)(const char *const[]){__VA_ARGS__, NULL})

static void load(enum service service, void *list, struct config *ret)
{
    struct error error;
    if (config_load(service, get_from_list, list, ret, &error) != ERR_OK)
        fail_msg("%s", error.message);
}

static void refuse(enum service service, void *list, const char *field, const char *message)
{
    struct config config = {.service = SERVICE_COUNT};
    struct error error;
    assert_int_equal(config_load(service, get_from_list, list, &config, &error), ERR_VALIDATION);
    assert_string_equal(error.message, message);
    assert_string_equal(error.field, field);
    assert_int_equal(config.service, SERVICE_COUNT); /* untouched */
}

static void every_variable_of_the_plan_is_there(void **state)
{
    (void)state;
    static const char *const plan[] = {"PORT",
                                       "NODE_ENV",
                                       "DATABASE_URL",
                                       "DATABASE_POOL_SIZE",
                                       "REDIS_URL",
                                       "REDIS_CLUSTER_ENABLED",
                                       "RABBITMQ_URL",
                                       "RABBITMQ_EXCHANGE",
                                       "RABBITMQ_PREFETCH",
                                       "WS_PORT",
                                       "WS_CORS_ORIGINS",
                                       "JWT_SECRET",
                                       "API_RATE_LIMIT",
                                       "METRICS_ENABLED",
                                       "METRICS_PORT",
                                       "LOG_LEVEL",
                                       "WORKER_HEALTH_CHECK_INTERVAL",
                                       "WORKER_TIMEOUT",
                                       "MIN_WORKERS",
                                       "MAX_WORKERS",
                                       "AUTO_SCALING_ENABLED",
                                       "LOAD_BALANCE_STRATEGY",
                                       "QUEUE_HIGH_WATER_MARK",
                                       "QUEUE_LOW_WATER_MARK",
                                       "HEALTH_CHECK_PORT",
                                       "WORKER_ID",
                                       "MAX_CONCURRENT_FLOWS",
                                       "MAX_CONCURRENT_NODES",
                                       "MEMORY_LIMIT_MB",
                                       "CPU_LIMIT_CORES",
                                       "HEALTH_REPORT_INTERVAL",
                                       "ORCHESTRATOR_URL",
                                       "NODE_CORE_LOG_LEVEL",
                                       "NODE_CORE_TIMEOUT"};
    for (size_t i = 0; i < sizeof plan / sizeof *plan; i++) {
        int found = 0;
        for (int id = 0; id < CONFIG_COUNT; id++)
            found += strcmp(config_variables[id].name, plan[i]) == 0;
        if (found != 1)
            fail_msg("%s stands %d times in the table", plan[i], found);
    }
}

static void the_table_is_sound(void **state)
{
    (void)state;
    for (int id = 0; id < CONFIG_COUNT; id++) {
        const struct config_variable *variable = &config_variables[id];
        bool number = variable->kind == CONFIG_INT || variable->kind == CONFIG_BYTES;
        if (variable->services == 0 || variable->help == NULL || variable->help[strlen(variable->help) - 1] != '.' ||
            strchr(variable->help, '|') != NULL ||
            ((number || variable->kind == CONFIG_STRING) && variable->max <= 0) ||
            (variable->kind == CONFIG_ENUM) != (variable->values != NULL) ||
            (variable->kind == CONFIG_URL) != (variable->schemes != NULL))
            fail_msg("%s is not described completely", variable->name);
        for (int service = 0; service < SERVICE_COUNT; service++) {
            bool read = (variable->services & 1u << service) != 0;
            if (read && variable->kind != CONFIG_STRING && variable->kind != CONFIG_URL &&
                variable->kind != CONFIG_LIST && variable->defaults[service] == NULL)
                fail_msg("%s has no default on %s", variable->name, config_service_name((enum service)service));
        }
    }
}

static void each_service_has_its_defaults(void **state)
{
    (void)state;
    static const int64_t port[] = {3001, 3003, 3004, 3001}, metrics[] = {9090, 9091, 9092, 9090},
                         prefetch[] = {10, 50, 5, 50}, pool[] = {20, 10, 5, 8};
    for (int service = 0; service < SERVICE_COUNT; service++) {
        struct config config;
        load((enum service)service, LIST(DISTRIBUTED, "HOSTNAME=box"), &config);
        assert_int_equal(config_int(&config, CONFIG_PORT), port[service]);
        assert_int_equal(config_int(&config, CONFIG_METRICS_PORT), metrics[service]);
        assert_int_equal(config_int(&config, CONFIG_RABBITMQ_PREFETCH), prefetch[service]);
        assert_int_equal(config_int(&config, CONFIG_DATABASE_POOL_SIZE), pool[service]);
        assert_int_equal(config_int(&config, CONFIG_EVENT_SHARDS), 2);
        assert_string_equal(config_str(&config, CONFIG_HOST), "127.0.0.1");
        assert_string_equal(config_str(&config, CONFIG_RABBITMQ_EXCHANGE), "flow_orchestration");
        assert_false(config_is_set(&config, CONFIG_PORT));
        assert_true(config_is_set(&config, CONFIG_DATABASE_URL));
        config_done(&config);
    }
}

static void standalone_needs_nothing(void **state)
{
    (void)state;
    struct config config;
    load(SERVICE_STANDALONE, LIST("HOSTNAME=box", "PORT="), &config);
    assert_string_equal(config_str(&config, CONFIG_DATABASE_URL), "sqlite:./data/caudal.db");
    assert_string_equal(config_str(&config, CONFIG_RABBITMQ_URL), "memory:");
    assert_string_equal(config_str(&config, CONFIG_REDIS_URL), "memory:");
    assert_string_equal(config_str(&config, CONFIG_WORKER_ID), "worker-box");
    assert_null(config_str(&config, CONFIG_JWT_SECRET));
    assert_int_equal(config_int(&config, CONFIG_MAX_CONCURRENT_FLOWS), 1000);
    assert_int_equal(config_int(&config, CONFIG_MAX_BODY_BYTES), 8 << 20);
    assert_int_equal(config_int(&config, CONFIG_PORT), 3001); /* empty counts as not set */
    assert_true(config_bool(&config, CONFIG_METRICS_ENABLED));
    assert_int_equal(config_enum(&config, CONFIG_LOAD_BALANCE_STRATEGY), 0);
    config_done(&config);
    load(SERVICE_STANDALONE, LIST("DATA_DIR=/var/lib/caudal"), &config);
    assert_string_equal(config_str(&config, CONFIG_DATABASE_URL), "sqlite:/var/lib/caudal/caudal.db");
    assert_true(strlen(config_str(&config, CONFIG_WORKER_ID)) > strlen("worker-")); /* the machine's name */
    config_done(&config);
}

static void values_come_from_the_environment(void **state)
{
    (void)state;
    struct config config;
    load(SERVICE_STANDALONE,
         LIST("PORT=0", "METRICS_ENABLED=Off", "LOAD_BALANCE_STRATEGY=weighted", "MAX_BODY_BYTES=64KiB",
              "HOST=::", "JWT_SECRET=" SECRET, "WORKER_ID=w-${HOSTNAME}-1", "HOSTNAME=h",
              "WS_CORS_ORIGINS=http://a:5173 , https://b.example", "MIN_WORKERS=20", "METRICS_PORT=3002",
              "DATABASE_URL=postgresql://u:p@h1:5432,h2/db?target_session_attrs=any",
              "RABBITMQ_URL=amqp://a:5672,amqps://[::1]:5671/vhost", "HEALTH_CHECK_PORT=nonsense"),
         &config);
    assert_int_equal(config_int(&config, CONFIG_PORT), 0);
    assert_false(config_bool(&config, CONFIG_METRICS_ENABLED));
    assert_int_equal(config_enum(&config, CONFIG_LOAD_BALANCE_STRATEGY), 2);
    assert_int_equal(config_int(&config, CONFIG_MAX_BODY_BYTES), 65536);
    assert_string_equal(config_str(&config, CONFIG_WORKER_ID), "w-h-1");
    assert_int_equal(config_count(&config, CONFIG_WS_CORS_ORIGINS), 2);
    assert_string_equal(config_item(&config, CONFIG_WS_CORS_ORIGINS, 0), "http://a:5173");
    assert_string_equal(config_item(&config, CONFIG_WS_CORS_ORIGINS, 1), "https://b.example");
    assert_null(config_item(&config, CONFIG_WS_CORS_ORIGINS, 2));
    assert_int_equal(config_count(&config, CONFIG_RABBITMQ_URL), 2);
    assert_string_equal(config_item(&config, CONFIG_RABBITMQ_URL, 1), "amqps://[::1]:5671/vhost");
    assert_int_equal(config_count(&config, CONFIG_DATABASE_URL), 1);
    assert_null(config_str(&config, CONFIG_HEALTH_CHECK_PORT)); /* standalone does not read it */
    config_done(&config);
}

static void bad_values_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *entry, *field, *message;
    } cases[] = {
        {"PORT=abc", "PORT", "PORT is \"abc\"; it must be an integer from 0 to 65535"},
        {"PORT=65536", "PORT", "PORT is \"65536\"; it must be an integer from 0 to 65535"},
        {"PORT=-1", "PORT", "PORT is \"-1\"; it must be an integer from 0 to 65535"},
        {"PORT= 80", "PORT", "PORT is \" 80\"; it must be an integer from 0 to 65535"},
        {"PORT=+80", "PORT", "PORT is \"+80\"; it must be an integer from 0 to 65535"},
        {"PORT=80x", "PORT", "PORT is \"80x\"; it must be an integer from 0 to 65535"},
        {"PORT=8KiB", "PORT", "PORT is \"8KiB\"; it must be an integer from 0 to 65535"},
        {"PORT=99999999999999999999", "PORT",
         "PORT is \"99999999999999999999\"; it must be an integer from 0 to 65535"},
        {"PORT=1\n2\x1b\xff", "PORT", "PORT is \"1\\x0a2\\x1b\\xff\"; it must be an integer from 0 to 65535"},
        {"MAX_CONCURRENT_FLOWS=0", "MAX_CONCURRENT_FLOWS",
         "MAX_CONCURRENT_FLOWS is \"0\"; it must be an integer from 1 to 1000000"},
        {"MAX_BODY_BYTES=8MB", "MAX_BODY_BYTES",
         "MAX_BODY_BYTES is \"8MB\"; it must be a number of bytes from 1024 to 1073741824, such as 65536, 64KiB, 8MiB "
         "or 1GiB"},
        {"MAX_BODY_BYTES=9007199254740993GiB", "MAX_BODY_BYTES",
         "MAX_BODY_BYTES is \"9007199254740993GiB\"; it must be a number of bytes from 1024 to 1073741824, such as "
         "65536, "
         "64KiB, 8MiB or 1GiB"},
        {"METRICS_ENABLED=maybe", "METRICS_ENABLED", "METRICS_ENABLED is \"maybe\"; it must be true or false"},
        {"LOAD_BALANCE_STRATEGY=random", "LOAD_BALANCE_STRATEGY",
         "LOAD_BALANCE_STRATEGY is \"random\"; it must be round_robin, least_busy or weighted"},
        {"WORKER_ID=a b", "WORKER_ID", "WORKER_ID is \"a b\"; it must be 1 to 100 letters, digits, '.', '_' or '-'"},
        {"JWT_SECRET=short", "JWT_SECRET", "JWT_SECRET is \"••••\"; it must be 32 to 4096 printable characters"},
        {"DATABASE_URL=mysql://root:pw@h/d", "DATABASE_URL",
         "DATABASE_URL is \"mysql://root:••••@h/d\"; it must be a URL that begins with sqlite:, postgresql: or "
         "postgres:"},
        {"RABBITMQ_URL=amqp://u:p@", "RABBITMQ_URL",
         "RABBITMQ_URL is \"amqp://u:••••@\"; it must be a URL, or several separated by commas, that begins with "
         "memory:, "
         "amqp: or amqps:"},
        {"HOST=127.evil.example", "HOST",
         "HOST is \"127.evil.example\"; it must be an IPv4 or IPv6 address, such as 127.0.0.1, 0.0.0.0 or ::1, or "
         "localhost"},
        {"HOST=0.0.0.0", "HOST",
         "HOST is \"0.0.0.0\"; it must be a loopback address (127.0.0.1, ::1, localhost) while JWT_SECRET is not set, "
         "because "
         "anybody could use the service without a login"},
        {"WS_CORS_ORIGINS=localhost:5173", "WS_CORS_ORIGINS",
         "WS_CORS_ORIGINS is \"localhost:5173\"; it must be origins such as https://host:port, separated by commas, or "
         "*"},
        {"QUEUE_LOW_WATER_MARK=1000", "QUEUE_LOW_WATER_MARK",
         "QUEUE_LOW_WATER_MARK is \"1000\"; it must be less than QUEUE_HIGH_WATER_MARK, which is 1000"},
        {"MIN_WORKERS=21", "MIN_WORKERS", "MIN_WORKERS is \"21\"; it must be at most MAX_WORKERS, which is 20"},
        {"METRICS_PORT=3001", "METRICS_PORT", "METRICS_PORT is \"3001\"; it must be another port than PORT"},
        {"REDIS_CLUSTER_ENABLED=true", "REDIS_URL",
         "REDIS_URL is \"memory:\"; it must be the address of a Redis Cluster while REDIS_CLUSTER_ENABLED is true"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refuse(SERVICE_STANDALONE, LIST(cases[i].entry), cases[i].field, cases[i].message);
}

static void long_values_are_cut(void **state)
{
    (void)state;
    char entry[5000] = "LOG_LEVEL=";
    memset(entry + 10, 'x', sizeof entry - 11);
    entry[sizeof entry - 1] = '\0';
    struct config config;
    struct error error;
    assert_int_equal(config_load(SERVICE_STANDALONE, get_from_list, LIST(entry), &config, &error), ERR_VALIDATION);
    assert_non_null(strstr(error.message, "xxx…\"; it must be debug, info, warn or error"));
}

static void distributed_services_need_their_addresses(void **state)
{
    (void)state;
    for (int service = SERVICE_GATEWAY; service <= SERVICE_WORKER; service++) {
        const char *name = config_service_name((enum service)service);
        char message[256];
        (void)snprintf(
            message, sizeof message,
            "DATABASE_URL is not set; the %s needs it: it must be a URL that begins with postgresql: or postgres:",
            name);
        refuse((enum service)service, LIST("RABBITMQ_URL=amqp://h"), "DATABASE_URL", message);
        (void)snprintf(
            message, sizeof message,
            "RABBITMQ_URL is not set; the %s needs it: it must be a URL, or several separated by commas, that begins "
            "with amqp: or amqps:",
            name);
        refuse((enum service)service, LIST("DATABASE_URL=postgres:///db"), "RABBITMQ_URL", message);
        refuse((enum service)service, LIST("DATABASE_URL=sqlite:x.db"), "DATABASE_URL",
               "DATABASE_URL is \"sqlite:x.db\"; it must be a URL that begins with postgresql: or postgres:");
    }
}

static void urls_are_checked(void **state)
{
    (void)state;
    static const char *const right[] = {"postgresql:///db?host=/run/pg", "postgres://u@h",
                                        "postgresql://u:p%40@[::1]:5432/d", "postgresql://h1:1,h2:65535/d",
                                        "sqlite:a b.db"};
    static const char *const wrong[] = {
        "postgresql:", "postgresql:h",      "postgresql://h:0/d",  "postgresql://h:65536/d",
        "sqlite:",     "postgresql://h:x",  "postgresql://h1,/d",  "postgresql://,h/d",
        "x",           "postgresql://:5/d", "postgresql://[::1/d", "postgresql://h /d",
        "http://h"};
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        char entry[200];
        struct config config;
        (void)snprintf(entry, sizeof entry, "DATABASE_URL=%s", right[i]);
        load(SERVICE_STANDALONE, LIST(entry), &config);
        assert_string_equal(config_str(&config, CONFIG_DATABASE_URL), right[i]);
        config_done(&config);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char entry[200];
        struct config config;
        (void)snprintf(entry, sizeof entry, "DATABASE_URL=%s", wrong[i]);
        if (config_load(SERVICE_STANDALONE, get_from_list, LIST(entry), &config, NULL) == ERR_OK)
            fail_msg("accepted: %s", wrong[i]);
    }
    struct config config;
    assert_int_equal(
        config_load(SERVICE_STANDALONE, get_from_list, LIST("RABBITMQ_URL=memory:,amqp://h"), &config, NULL),
        ERR_VALIDATION);
}

static void loopback_is_recognised(void **state)
{
    (void)state;
    static const char *const loopback[] = {"127.0.0.1", "127.255.0.9", "::1", "0:0:0:0:0:0:0:1", "localhost"};
    static const char *const open[] = {"0.0.0.0", "::", "128.0.0.1", "127.0.0.1.example", "::ffff:10.0.0.1", "", "127"};
    for (size_t i = 0; i < sizeof loopback / sizeof *loopback; i++)
        assert_true(config_host_is_loopback(loopback[i]));
    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        assert_false(config_host_is_loopback(open[i]));
    struct config config; /* a worker has no login to protect: it may listen everywhere */
    load(SERVICE_WORKER, LIST(DISTRIBUTED, "HOST=0.0.0.0"), &config);
    config_done(&config);
}

static void passwords_are_masked(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"amqp://h:5672", "amqp://h:5672"},
        {"amqp://user:pa:ss@h/v", "amqp://user:••••@h/v"},
        {"redis://:pw@h", "redis://:••••@h"},
        {"redis://token@h", "redis://••••@h"},
        {"amqp://u:p@ss/w@h,amqp://u:q,r@i", "amqp://u:••••@h,amqp://u:••••@i"},
        {"postgresql://h/d?user=a&password=pw&sslmode=off", "postgresql://h/d?user=a&password=••••&sslmode=off"},
        {"postgresql://u:p@h/d?sslPassword=pw", "postgresql://u:••••@h/d?sslPassword=••••"},
        {"user:secret@h", "user:••••@h"},
        {"amqp:user:secret@h", "amqp:••••@h"},
        {"", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO_BUF struct buf out;
        buf_init(&out, 0);
        config_value_mask(&config_variables[CONFIG_RABBITMQ_URL], cases[i].in, &out);
        assert_string_equal(buf_str(&out), cases[i].out);
    }
}

static void nothing_secret_is_printed(void **state)
{
    (void)state;
    struct config config;
    load(SERVICE_GATEWAY,
         LIST("JWT_SECRET=hunter2-" SECRET, "SECRETS_KEY=hunter2-" SECRET,
              "DATABASE_URL=postgresql://flow:hunter2@db/flow",
              "RABBITMQ_URL=amqp://flow:hunter2@a,amqp://flow:hunter2@b", "REDIS_URL=redis://:hunter2@r"),
         &config);
    AUTO_BUF struct buf text, json;
    buf_init(&text, 0);
    buf_init(&json, 0);
    config_print_text(&config, &text);
    config_print_json(&config, &json);
    config_done(&config);
    assert_null(strstr(buf_str(&text), "hunter2"));
    assert_null(strstr(buf_str(&json), "hunter2"));
    assert_non_null(strstr(buf_str(&text), "amqp://flow:••••@a,amqp://flow:••••@b environment\n"));
    assert_non_null(strstr(buf_str(&text), "\nPORT                           3001 "));
    assert_null(strstr(buf_str(&text), "WORKER_ID")); /* the gateway does not read it */

    AUTO_JSON struct json *root = NULL;
    assert_int_equal(json_parse(json.data, json.len, &root, NULL), ERR_OK);
    assert_string_equal(json_get_str(root, "service"), "gateway");
    bool seen = false;
    for (size_t i = 0; i < json_count(json_get(root, "variables")); i++) {
        const struct json *variable = json_at(json_get(root, "variables"), i);
        if (strcmp(json_get_str(variable, "name"), "MAX_BODY_BYTES") == 0) {
            seen = true;
            assert_int_equal(json_get_int(variable, "value", 0), 8388608);
            assert_string_equal(json_get_str(variable, "source"), "default");
            assert_string_equal(json_get_str(variable, "unit"), "bytes");
        }
    }
    assert_true(seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_variable_of_the_plan_is_there),
        cmocka_unit_test(the_table_is_sound),
        cmocka_unit_test(each_service_has_its_defaults),
        cmocka_unit_test(standalone_needs_nothing),
        cmocka_unit_test(values_come_from_the_environment),
        cmocka_unit_test(bad_values_are_named),
        cmocka_unit_test(long_values_are_cut),
        cmocka_unit_test(distributed_services_need_their_addresses),
        cmocka_unit_test(urls_are_checked),
        cmocka_unit_test(loopback_is_recognised),
        cmocka_unit_test(passwords_are_masked),
        cmocka_unit_test(nothing_secret_is_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
