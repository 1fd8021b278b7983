/* Runs the pool's loop until an answer is there. */
#include "support/script_kit.h"

#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void script_kit_init(struct script_kit *kit, unsigned runners, int64_t timeout_ms, size_t memory_mb)
{
    const char *program = getenv("CAUDAL_PROGRAM"); /* set by ctest */
    if (program == NULL) {
        (void)fprintf(stderr, "CAUDAL_PROGRAM must name the program caudal.\n");
        abort(); /* a test program cannot be its own runner */
    }
    kit->loop = loop_new();
    kit->pool = script_pool_new(&(struct script_options){
        .loop = kit->loop, .program = program, .runners = runners, .timeout_ms = timeout_ms, .memory_mb = memory_mb});
}

void script_kit_done(struct script_kit *kit)
{
    script_pool_free(kit->pool);
    loop_free(kit->loop);
}

struct waiting {
    struct loop *loop;
    char *text;
    struct json *logs;
};

static void on_done(void *user, const struct script_answer *answer)
{
    struct waiting *waiting = user;
    if (answer->error.code != ERR_OK)
        waiting->text = mem_printf("%s: %s", error_id(answer->error.code), answer->error.message);
    else
        waiting->text = json_dup_text(answer->result);
    waiting->logs = json_ref(answer->logs);
    loop_stop(waiting->loop);
}

char *script_kit_call(struct script_kit *kit, enum script_kind kind, const char *realm, const char *program,
                      const char *data, struct json **ret_logs)
{
    struct waiting waiting = {.loop = kit->loop};
    (void)script_pool_start(kit->pool,
                            &(struct script_request){.kind = kind,
                                                     .realm = realm,
                                                     .program = program,
                                                     .program_bytes = strlen(program),
                                                     .data = data,
                                                     .data_bytes = strlen(data)},
                            on_done, &waiting);
    loop_run(kit->loop);
    if (ret_logs != NULL)
        *ret_logs = waiting.logs;
    else
        json_unref(waiting.logs);
    return waiting.text;
}

static char *value_of(const struct json *answer)
{
    const struct json *failure = json_get(answer, "e");
    if (failure != NULL)
        return mem_printf("error: %s", json_get_str(failure, "message"));
    return json_has(answer, "v") ? json_dup_text(json_get(answer, "v")) : mem_dup("undefined");
}

static char *unwrap(char *take_text, bool list)
{
    AUTO_FREE char *text = take_text;
    AUTO_JSON struct json *answer = NULL;
    if (json_parse(text, strlen(text), &answer, NULL) != ERR_OK)
        return mem_dup(text);
    return value_of(list ? json_at(answer, 0) : answer);
}

char *script_kit_expression(struct script_kit *kit, const char *realm, const char *source, const char *data)
{
    AUTO_JSON struct json *program = json_array_new();
    json_push(program, json_string_new(source));
    AUTO_FREE char *text = json_dup_text(program);
    return unwrap(script_kit_call(kit, SCRIPT_EXPRESSIONS, realm, text, data, NULL), true);
}

char *script_kit_code(struct script_kit *kit, const char *realm, const char *code, const char *data)
{
    AUTO_JSON struct json *program = json_object_new();
    json_set_str(program, "code", code);
    json_set_str(program, "mode", "once");
    AUTO_FREE char *text = json_dup_text(program);
    return unwrap(script_kit_call(kit, SCRIPT_CODE, realm, text, data, NULL), false);
}
