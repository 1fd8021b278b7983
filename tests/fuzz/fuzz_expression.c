/* Texts with expressions from outside: what is split can be evaluated, and evaluating neither crashes nor loops. */
#include "expression/expression.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool find(void *user, enum expression_name name, const char *key, struct json **ret)
{
    (void)name;
    (void)key;
    *ret = json_ref(user);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_JSON struct json *config = json_object_new(), *value = NULL;
    json_set(config, "text", json_string_new_n((const char *)data, size));
    if (json_parse("{\"a\":[1,{\"b\":\"text\"}],\"c\":null}", 31, &value, NULL) != ERR_OK)
        abort();
    const struct expression_source source = {.user = value, .find = find};
    struct expressions *expressions = expressions_new(config, NULL);
    struct error error;
    struct expression_job *job = expressions == NULL ? NULL : expression_job_new(expressions, config, &source, &error);
    if (job != NULL) {
        AUTO_BUF struct buf text;
        buf_init(&text, 0);
        expression_job_program(job, &text);
        expression_job_data(job, &source, &text);
        json_unref(expression_job_needs_script(job) ? NULL : expression_job_take_inputs(job));
    }
    expression_job_free(job);
    expressions_free(expressions);
    return 0;
}
