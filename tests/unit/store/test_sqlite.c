/* What is SQLite's own behind the store's contract: files, schema, damage, a full disk, pages given back. */
#include "base/mem.h"
#include "store/sqlite/sqlite_int.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define T0 INT64_C(1700000000000)

struct fixture {
    char folder[64], path[96], url[128];
    struct store *store; /* may be NULL */
};

static struct error error_; /* of the last call that failed */

#define assert_ok(call)                                                                                                \
    do {                                                                                                               \
        enum err code_ = (call);                                                                                       \
        if (code_ != ERR_OK)                                                                                           \
            fail_msg("%s: %s (%s)", #call, error_id(code_), error_.message);                                           \
    } while (0)

static int set_up(void **state)
{
    struct fixture *f = mem_alloc(sizeof *f);
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/caudal-sqlite-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    (void)snprintf(f->path, sizeof f->path, "%s/test.db", f->folder);
    (void)snprintf(f->url, sizeof f->url, "sqlite:%s", f->path);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    static const char *const endings[] = {"", "-wal", "-shm"};
    store_close(f->store);
    for (size_t i = 0; i < 3; i++) {
        AUTO_FREE char *path = mem_printf("%s%s", f->path, endings[i]);
        (void)unlink(path); /* SQLite removes two of them itself */
    }
    assert_int_equal(rmdir(f->folder), 0);
    free(f);
    return 0;
}

static void open_store(struct fixture *f)
{
    assert_ok(store_open(f->url, &(struct store_options){.manual = true}, &f->store, &error_));
}

static void close_store(struct fixture *f)
{
    store_close(f->store);
    f->store = NULL;
}

static sqlite3 *open_raw(struct fixture *f)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    return db;
}

static void execute(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
}

static void execute_on_file(struct fixture *f, const char *sql)
{
    sqlite3 *db = open_raw(f);
    execute(db, sql);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static int64_t ask(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(statement, 0);
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
    return number;
}

static struct json *parse(const char *text)
{
    struct json *value = NULL;
    assert_ok(json_parse(text, strlen(text), &value, &error_));
    return value;
}

static enum err insert_flow(struct store_session *s, void *arg, struct error *reterr)
{
    AUTO_JSON struct json *flow =
        parse("{\"id\":\"f\",\"name\":\"orders\",\"nodes\":[{\"id\":\"1\",\"type\":\"set\"}],\"connections\":[],"
              "\"metadata\":{\"a\":1}}");
    (void)arg;
    return store_flow_insert(s, flow, T0, reterr);
}

/* ---- schema */

static void migrates_an_old_file(void **state)
{
    struct fixture *f = *state;
    sqlite3 *db = open_raw(f);
    assert_ok(sqlite_schema_migrate(db, 1, &error_));
    execute(db, "INSERT INTO flows VALUES('f','orders',NULL,'[]','[]',NULL,1,'draft',NULL,NULL,1,1,0);"
                "INSERT INTO "
                "executions(seq,id,flow_id,flow_version,priority,status,epoch,retry_count,created_ms,wake_ms) VALUES"
                "(1,'fresh','f',1,1,0,1,0,1,NULL), (2,'again','f',1,1,1,2,0,1,NULL), (3,'parked','f',1,1,1,1,0,1,5)");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    open_store(f);
    close_store(f);
    db = open_raw(f);
    assert_int_equal(ask(db, "SELECT max(version) FROM schema_version"), sqlite_schema_latest());
    assert_int_equal(ask(db, "SELECT count(*) FROM schema_version WHERE applied_ms > 1700000000000"),
                     sqlite_schema_latest());
    assert_int_equal(ask(db, "SELECT count(*) FROM attempts"), 0);
    assert_int_equal(ask(db, "SELECT settled || lost FROM executions WHERE id='fresh'"), 0);
    assert_int_equal(ask(db, "SELECT settled * 10 + lost FROM executions WHERE id='again'"), 1);
    assert_int_equal(ask(db, "SELECT settled * 10 + lost FROM executions WHERE id='parked'"), 10);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    open_store(f); /* a second time changes nothing */
}

static void refuses_a_newer_schema(void **state)
{
    struct fixture *f = *state;
    open_store(f);
    assert_ok(store_write(f->store, insert_flow, NULL, &error_));
    close_store(f);
    execute_on_file(f, "INSERT INTO schema_version VALUES(1000, 0)");
    struct store *store = NULL;
    assert_int_equal(store_open(f->url, NULL, &store, &error_), ERR_CONFLICT);
    assert_null(store);
    assert_non_null(strstr(error_.message, "1000"));
    sqlite3 *db = open_raw(f);
    assert_int_equal(ask(db, "SELECT max(version) FROM schema_version"), 1000); /* and left it alone */
    assert_int_equal(ask(db, "SELECT count(*) FROM flows"), 1);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void undoes_a_migration_that_fails(void **state)
{
    struct fixture *f = *state;
    sqlite3 *db = open_raw(f);
    assert_ok(sqlite_schema_migrate(db, 1, &error_));
    execute(db, "CREATE TABLE attempts(x)"); /* in the way of version 2 */
    assert_int_not_equal(sqlite_schema_migrate(db, sqlite_schema_latest(), &error_), ERR_OK);
    assert_int_equal(ask(db, "SELECT max(version) FROM schema_version"), 1);
    execute(db, "DROP TABLE attempts");
    assert_ok(sqlite_schema_migrate(db, sqlite_schema_latest(), &error_));
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void refuses_what_is_no_database(void **state)
{
    struct fixture *f = *state;
    struct store *store = NULL;
    FILE *file = fopen(f->path, "w");
    assert_non_null(file);
    for (int i = 0; i < 1000; i++)
        (void)fputs("this is a letter to my aunt\n", file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(store_open(f->url, NULL, &store, &error_), ERR_STORE_BUSY);
    AUTO_FREE char *nowhere = mem_printf("sqlite:%s/no/such/folder.db", f->folder);
    assert_int_equal(store_open(nowhere, NULL, &store, &error_), ERR_STORE_BUSY);
    assert_null(store);
}

static int on_number(void *ret, int count, char **values, char **names)
{
    (void)count;
    (void)names;
    *(int *)ret = atoi(values[0]);
    return 0;
}

static int pragma(sqlite3 *db, const char *sql)
{
    int number = -1;
    assert_int_equal(sqlite3_exec(db, sql, on_number, &number, NULL), SQLITE_OK);
    return number;
}

/* docs/decisions/0002-sqlite-durability.md */
static void keeps_its_promise_of_durability(void **state)
{
    struct fixture *f = *state;
    struct store_session *s = NULL;
    open_store(f);
    assert_ok(store_read_begin(f->store, &s, &error_)); /* manual: the writer itself */
    sqlite3 *db = sqlite_of(s)->db;
    assert_int_equal(pragma(db, "PRAGMA synchronous"), 2);
    assert_int_equal(pragma(db, "PRAGMA foreign_keys"), 1);
    assert_int_equal(pragma(db, "PRAGMA auto_vacuum"), 2);
    assert_int_equal(ask(db, "SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'wal'"), 1);
    store_read_end(f->store, s);
}

/* ---- a process that is killed */

struct reporter {
    int fd, number;
};

static void on_acknowledged(void *user, enum err code, const struct error *error)
{
    struct reporter *reporter = user;
    (void)error;
    if (code == ERR_OK && write(reporter->fd, &reporter->number, sizeof reporter->number) != sizeof reporter->number)
        _exit(1);
    free(reporter);
}

static enum err put_number(struct store_session *s, void *arg, struct error *reterr)
{
    struct reporter *reporter = arg;
    char id[16];
    (void)snprintf(id, sizeof id, "%d", reporter->number);
    AUTO_JSON struct json *document = json_object_new();
    return store_put(s, STORE_SETTINGS, id, document, T0, reterr);
}

/* Writes until it is killed; tells through the pipe what was acknowledged. */
static void write_for_ever(const char *url, int fd)
{
    struct store *store = NULL;
    struct error error;
    if (store_open(url, NULL, &store, &error) != ERR_OK)
        _exit(1);
    for (int i = 0;; i++) {
        struct reporter *reporter = mem_alloc(sizeof *reporter);
        *reporter = (struct reporter){.fd = fd, .number = i};
        if (i % 10 == 9) { /* now and then wait, so that the queue stays short */
            if (store_write(store, put_number, reporter, &error) != ERR_OK)
                _exit(1);
            on_acknowledged(reporter, ERR_OK, NULL);
        } else {
            store_write_async(store, put_number, reporter, on_acknowledged, reporter);
        }
    }
}

static void keeps_what_it_acknowledged_when_killed(void **state)
{
    struct fixture *f = *state;
    int ends[2], number = 0, status = 0;
    char acknowledged[100000] = {0};
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(ends[0]);
        write_for_ever(f->url, ends[1]);
    }
    (void)close(ends[1]);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(read(ends[0], &number, sizeof number), sizeof number);
        acknowledged[number] = 1;
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    while (read(ends[0], &number, sizeof number) == sizeof number) /* what it could still say */
        acknowledged[number] = 1;
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    sqlite3 *db = open_raw(f);
    for (int i = 0; i < (int)sizeof acknowledged; i++) {
        char sql[80];
        (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM settings WHERE id='%d'", i);
        if (acknowledged[i] && ask(db, sql) != 1)
            fail_msg("%d was acknowledged and is gone", i);
    }
    assert_int_equal(ask(db, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* ---- damage */

static enum err insert_execution(struct store_session *s, void *arg, struct error *reterr)
{
    struct store_finish end = {.status = RUN_SUCCESS,
                               .started_ms = T0,
                               .ended_ms = T0 + 1,
                               .document_json = "{\"nodes\":[]}",
                               .result_json = "{}"};
    const char *id = arg;
    struct store_execution row = {.id = id,
                                  .flow_id = "f",
                                  .flow_version = 1,
                                  .trigger = "api",
                                  .created_ms = T0,
                                  .input_json = "{}",
                                  .metadata_json = "{}",
                                  .restore_json = "[]",
                                  .finish = id[0] == 'x' ? &end : NULL};
    enum err code = store_execution_insert(s, &row, reterr);
    if (code != ERR_OK || row.finish != NULL)
        return code;
    struct store_event event = {.kind = STORE_EVENT_CHECKPOINT,
                                .execution_id = id,
                                .epoch = 1,
                                .checkpoint_outputs_json = "{}",
                                .checkpoint = {.node_id = "1", .attempt = 1, .state = NODE_SUCCEEDED}};
    bool applied = false;
    code = store_event_apply(s, &event, &applied, reterr);
    event.kind = STORE_EVENT_LOGS;
    event.logs_json = "[{\"message\":\"m\"}]";
    return code == ERR_OK ? store_event_apply(s, &event, &applied, reterr) : code;
}

static enum err insert_operation(struct store_session *s, void *arg, struct error *reterr)
{
    AUTO_JSON struct json *document = parse("{\"id\":\"o\"}"),
                          *schedule = parse(
                              "{\"id\":\"s\",\"flowId\":\"f\",\"name\":\"n\","
                              "\"cronExpression\":\"* * * * *\",\"nextRun\":\"2023-11-15T00:00:00Z\",\"metadata\":{}}");
    (void)arg;
    enum err code = store_put(s, STORE_AUDIT, "o", document, T0, reterr);
    return code == ERR_OK ? store_schedule_insert(s, schedule, T0, reterr) : code;
}

enum reading {
    READ_FLOW,
    READ_VERSION,
    READ_SCHEDULE,
    READ_SCHEDULES,
    READ_DETAIL,
    READ_FINAL_DETAIL,
    READ_LOGS,
    READ_FINAL_LOGS,
    READ_AUDIT,
    READ_AUDITS,
    READ_ALL_AUDITS
};

static enum err read_it(struct store_session *s, enum reading what, struct json **ret, struct error *reterr)
{
    AUTO_JSON struct json *filter = json_object_new();
    switch (what) {
    case READ_FLOW:
        return store_flow_load(s, "f", ret, reterr);
    case READ_VERSION:
        return store_flow_load_version(s, "f", 1, ret, reterr);
    case READ_SCHEDULE:
        return store_schedule_load(s, "s", ret, reterr);
    case READ_SCHEDULES:
        return store_schedule_list(s, filter, ret, reterr);
    case READ_DETAIL:
        return store_execution_load_detail(s, "running", ret, reterr);
    case READ_FINAL_DETAIL:
        return store_execution_load_detail(s, "x", ret, reterr);
    case READ_LOGS:
        return store_execution_logs(s, "running", NULL, NULL, ret, reterr);
    case READ_FINAL_LOGS:
        return store_execution_logs(s, "x", NULL, NULL, ret, reterr);
    case READ_AUDIT:
        return store_get(s, STORE_AUDIT, "o", ret, reterr);
    case READ_AUDITS:
        return store_audit_list(s, filter, ret, reterr);
    case READ_ALL_AUDITS:
        return store_all(s, STORE_AUDIT, ret, reterr);
    }
    return ERR_INTERNAL;
}

static void fill(struct fixture *f)
{
    open_store(f);
    assert_ok(store_write(f->store, insert_flow, NULL, &error_));
    assert_ok(store_write(f->store, insert_execution, "running", &error_));
    assert_ok(store_write(f->store, insert_execution, "x", &error_));
    assert_ok(store_write(f->store, insert_operation, NULL, &error_));
}

static void answers_damaged_texts_with_an_error(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum reading what;
        const char *damage, *repair;
    } cases[] = {
        {READ_FLOW, "UPDATE flows SET nodes='[{'", "UPDATE flows SET nodes='[]'"},
        {READ_FLOW, "UPDATE flows SET metadata=x'ff'", "UPDATE flows SET metadata=NULL"},
        {READ_VERSION, "UPDATE flow_versions SET connections=''", "UPDATE flow_versions SET connections='[]'"},
        {READ_DETAIL, "UPDATE flow_versions SET nodes='x'", "UPDATE flow_versions SET nodes='[]'"},
        {READ_SCHEDULE, "UPDATE schedules SET metadata='{'", "UPDATE schedules SET metadata='{}'"},
        {READ_SCHEDULES, "UPDATE schedules SET metadata='{'", "UPDATE schedules SET metadata='{}'"},
        {READ_DETAIL, "UPDATE execution_inputs SET input='{'", "UPDATE execution_inputs SET input='{}'"},
        {READ_DETAIL, "UPDATE execution_inputs SET metadata='{'", "UPDATE execution_inputs SET metadata='{}'"},
        {READ_DETAIL, "UPDATE checkpoints SET outputs='{'", "UPDATE checkpoints SET outputs='{}'"},
        {READ_LOGS, "UPDATE execution_logs SET content=x'00'", "DELETE FROM execution_logs"},
        {READ_FINAL_DETAIL, "UPDATE node_executions SET result=x'0102030405'",
         "UPDATE node_executions SET result=NULL"},
        {READ_FINAL_DETAIL, "UPDATE node_executions SET document=x''", "UPDATE node_executions SET document=NULL"},
        {READ_FINAL_LOGS, "UPDATE node_executions SET document=x'28b52ffd040000'",
         "UPDATE node_executions SET document=NULL"},
        {READ_AUDIT, "UPDATE audit_log SET document='nul'", "UPDATE audit_log SET document='{}'"},
        {READ_AUDITS, "UPDATE audit_log SET document='nul'", "UPDATE audit_log SET document='{}'"},
        {READ_ALL_AUDITS, "UPDATE audit_log SET document='nul'", "UPDATE audit_log SET document='{}'"}};
    fill(f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct store_session *s = NULL;
        AUTO_JSON struct json *before = NULL, *damaged = NULL, *after = NULL;
        assert_ok(store_read_begin(f->store, &s, &error_));
        assert_ok(read_it(s, cases[i].what, &before, &error_));
        execute_on_file(f, cases[i].damage);
        error_ = (struct error){0};
        if (read_it(s, cases[i].what, &damaged, &error_) != ERR_INTERNAL || strstr(error_.message, "damaged") == NULL)
            fail_msg("%s: %s", cases[i].damage, error_.message);
        assert_null(damaged);
        execute_on_file(f, cases[i].repair);
        assert_ok(read_it(s, cases[i].what, &after, &error_));
        store_read_end(f->store, s);
    }
}

static enum err reassign(struct store_session *s, void *arg, struct error *reterr)
{
    AUTO_ARENA struct arena arena = {0};
    struct store_dispatch dispatch;
    enum err code = store_execution_reassign(s, "running", 0, &arena, &dispatch, reterr);
    if (code == ERR_OK)
        *(int *)arg = dispatch.epoch;
    return ERR_OK; /* as an orchestrator does: what concerns one execution does not hold up the write */
}

/* Without its checkpoints an execution would do its effects again. */
static void does_not_dispatch_what_is_damaged(void **state)
{
    struct fixture *f = *state;
    static const char *const damages[] = {"UPDATE checkpoints SET outputs='{'", "UPDATE execution_inputs SET input='{'",
                                          "UPDATE execution_inputs SET restore='{'"};
    static const char *const repairs[] = {"UPDATE checkpoints SET outputs='{}'",
                                          "UPDATE execution_inputs SET input='{}'",
                                          "UPDATE execution_inputs SET restore='[]'"};
    int epoch = 0;
    fill(f);
    for (size_t i = 0; i < 3; i++) {
        execute_on_file(f, damages[i]);
        assert_ok(store_write(f->store, reassign, &epoch, &error_));
        assert_int_equal(epoch, 0);
        execute_on_file(f, repairs[i]);
    }
    assert_ok(store_write(f->store, reassign, &epoch, &error_));
    assert_int_equal(epoch, 2); /* the failed ones did not raise it */
}

/* ---- a full disk: no file of this process may grow beyond a limit */

enum { PAYLOAD_BYTES = 200000 };

static enum err put_large(struct store_session *s, void *arg, struct error *reterr)
{
    AUTO_FREE char *text = mem_alloc(PAYLOAD_BYTES + 1);
    memset(text, 'x', PAYLOAD_BYTES);
    AUTO_JSON struct json *document = json_object_new();
    json_set_str(document, "payload", text);
    return store_put(s, STORE_SETTINGS, arg, document, T0, reterr);
}

static enum err put_small(struct store_session *s, void *arg, struct error *reterr)
{
    AUTO_JSON struct json *document = json_object_new();
    return store_put(s, STORE_SETTINGS, arg, document, T0, reterr);
}

static void on_answer(void *user, enum err code, const struct error *error)
{
    (void)error;
    *(enum err *)user = code;
}

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void goes_on_after_a_full_disk(void **state)
{
    struct fixture *f = *state;
    char id[16];
    int stored = 0;
    enum err code = ERR_OK, small = ERR_INTERNAL, large = ERR_INTERNAL;
    struct rlimit before;
    open_store(f);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit_files(2 << 20);
    for (int i = 0; i < 100 && code == ERR_OK; i++) {
        (void)snprintf(id, sizeof id, "n%d", i);
        code = store_write(f->store, put_large, id, &error_);
        stored += code == ERR_OK;
    }
    /* Together with what does not fit, what fits goes in. */
    store_write_async(f->store, put_large, "large", on_answer, &large);
    store_write_async(f->store, put_small, "small", on_answer, &small);
    assert_int_equal(store_pump(f->store), 2);
    limit_files(before.rlim_cur);
    if (code != ERR_STORE_FULL)
        fail_msg("%s: %s", error_id(code), error_.message);
    assert_in_range(stored, 3, 99);
    assert_int_equal(large, ERR_STORE_FULL);
    assert_int_equal(small, ERR_OK);
    struct store_session *s = NULL;
    AUTO_JSON struct json *all = NULL;
    assert_ok(store_read_begin(f->store, &s, &error_));
    assert_ok(store_all(s, STORE_SETTINGS, &all, &error_));
    assert_int_equal(json_count(all), stored + 1); /* what was acknowledged, no more and no less */
    store_read_end(f->store, s);
    assert_ok(store_write(f->store, put_large, "after", &error_)); /* there is room again */
    close_store(f);
    sqlite3 *db = open_raw(f);
    assert_int_equal(ask(db, "SELECT count(*) FROM settings"), stored + 2);
    assert_int_equal(ask(db, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* ---- retention */

struct round {
    int number;
    char *document;
};

enum { ROUND = 200 };

static enum err insert_round(struct store_session *s, void *arg, struct error *reterr)
{
    struct round *round = arg;
    struct store_finish end = {
        .status = RUN_SUCCESS, .started_ms = T0, .ended_ms = T0 + round->number, .document_json = round->document};
    enum err code = ERR_OK;
    for (int i = 0; i < ROUND && code == ERR_OK; i++) {
        char id[24];
        (void)snprintf(id, sizeof id, "%d-%d", round->number, i);
        struct store_execution row = {.id = id,
                                      .flow_id = "f",
                                      .flow_version = 1,
                                      .trigger = "api",
                                      .created_ms = T0 + round->number,
                                      .input_json = round->document,
                                      .finish = &end};
        code = store_execution_insert(s, &row, reterr);
    }
    return code;
}

static enum err retain(struct store_session *s, void *arg, struct error *reterr)
{
    int64_t deleted = 0;
    enum err code =
        store_retention_apply(s, &(struct store_retention){.before_ms = T0 + *(int *)arg + 1}, 10000, &deleted, reterr);
    return code == ERR_OK && deleted != ROUND ? error_set(reterr, ERR_INTERNAL, NULL, "%d deleted", (int)deleted)
                                              : code;
}

static int64_t file_bytes(struct fixture *f)
{
    struct stat file;
    close_store(f); /* moves the log into the file */
    assert_int_equal(stat(f->path, &file), 0);
    open_store(f);
    return (int64_t)file.st_size;
}

static void gives_pages_back(void **state)
{
    struct fixture *f = *state;
    struct round round = {.document = mem_alloc(8001)};
    open_store(f);
    assert_ok(store_write(f->store, insert_flow, NULL, &error_));
    round.document[0] = '"';
    for (int i = 1; i < 7999; i++)
        round.document[i] = (char)('a' + (i * i + i / 7) % 26);
    round.document[7999] = '"';
    int64_t empty = file_bytes(f);
    for (round.number = 1; round.number <= 3; round.number++) {
        assert_ok(store_write(f->store, insert_round, &round, &error_));
        int64_t full = file_bytes(f);
        assert_true(full > empty + ROUND * 8000);
        assert_ok(store_write(f->store, retain, &round.number, &error_));
        int64_t after = file_bytes(f);
        assert_true(after < empty + 64 * 1024);
        print_message("file: %lld bytes empty, %lld with %d executions, %lld after retention\n", (long long)empty,
                      (long long)full, ROUND, (long long)after);
    }
    sqlite3 *db = open_raw(f);
    assert_int_equal(ask(db, "SELECT count(*) FROM execution_inputs"), 0); /* nothing of theirs stays */
    assert_int_equal(ask(db, "SELECT count(*) FROM node_executions"), 0);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    free(round.document);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(migrates_an_old_file),
                                       TEST(refuses_a_newer_schema),
                                       TEST(undoes_a_migration_that_fails),
                                       TEST(refuses_what_is_no_database),
                                       TEST(keeps_its_promise_of_durability),
                                       TEST(keeps_what_it_acknowledged_when_killed),
                                       TEST(answers_damaged_texts_with_an_error),
                                       TEST(does_not_dispatch_what_is_damaged),
                                       TEST(goes_on_after_a_full_disk),
                                       TEST(gives_pages_back)};
    (void)signal(SIGXFSZ, SIG_IGN); /* a write beyond the limit fails instead */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
