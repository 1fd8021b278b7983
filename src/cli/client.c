/* The service's API through libcurl. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/mem.h"
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX ((size_t)256 << 20)

static size_t on_bytes(char *bytes, size_t size, size_t count, void *user)
{
    struct buf *out = user;
    buf_add(out, bytes, size * count);
    return out->overflow ? 0 : size * count;
}

char *client_escape(const char *text)
{
    char *escaped = curl_easy_escape(NULL, text, 0), *own = mem_dup(escaped);
    curl_free(escaped);
    return own;
}

static void print_problems(const struct json *answer)
{
    const struct json *errors = json_get(json_get(answer, "details"), "errors");
    const char *field = json_get_str(json_get(answer, "details"), "field");
    const char *message = json_get_str(answer, "message"), *code = json_get_str(answer, "code");
    (void)fprintf(stderr, "caudal: %s (%s%s%s)\n", message == NULL ? "The service refused." : message,
                  code == NULL ? "no code" : code, field == NULL ? "" : ", ", field == NULL ? "" : field);
    for (size_t i = 0; i < json_count(errors); i++)
        (void)fprintf(stderr, "  %s\n", json_get_str(json_at(errors, i), "message"));
}

static int read_answer(long status, const struct buf *bytes, struct json **ret)
{
    AUTO_JSON struct json *answer = NULL;
    struct error error;
    if (bytes->len > 0 && json_parse(bytes->data, bytes->len, &answer, &error) != ERR_OK) {
        (void)fprintf(stderr, "caudal: the answer is no JSON (status %ld): is this a Caudal service?\n", status);
        return EXIT_REFUSED;
    }
    if (status >= 400) {
        print_problems(answer);
        return EXIT_REFUSED;
    }
    if (ret != NULL)
        *ret = json_ref(json_get(answer, "data"));
    return EXIT_OK;
}

int client_call(const struct cli *cli, const char *method, const char *path, const struct json *body, struct json **ret)
{
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    struct buf bytes;
    long status = 0;
    char problem[CURL_ERROR_SIZE] = "";
    AUTO_FREE char *url = mem_printf("%s%s%s", cli->url, strncmp(path, "/webhooks", 9) == 0 ? "" : "/api/v1", path);
    AUTO_FREE char *text = body == NULL ? NULL : json_dup_text(body);
    AUTO_FREE char *key = cli->api_key == NULL ? NULL : mem_printf("Authorization: Bearer %s", cli->api_key);
    buf_init(&bytes, ANSWER_MAX);
    if (key != NULL)
        headers = curl_slist_append(headers, key);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &bytes);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, problem);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    if (text != NULL)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, text);
    CURLcode done = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    int code = EXIT_UNREACHABLE;
    if (done == CURLE_OK)
        code = read_answer(status, &bytes, ret);
    else
        (void)fprintf(stderr, "caudal: %s does not answer: %s. Is `caudal standalone` running there?\n", cli->url,
                      problem[0] == '\0' ? curl_easy_strerror(done) : problem);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    buf_done(&bytes);
    return code;
}

int client_find_flow(const struct cli *cli, const char *flow, char ret_id[40])
{
    if (id_is_valid(flow)) {
        (void)snprintf(ret_id, 40, "%s", flow);
        return EXIT_OK;
    }
    AUTO_FREE char *escaped = client_escape(flow);
    char cursor[300] = "";
    for (;;) {
        AUTO_FREE char *path = mem_printf("/flows?limit=100&search=%s%s", escaped, cursor);
        AUTO_JSON struct json *page = NULL;
        int code = client_call(cli, "GET", path, NULL, &page);
        if (code != EXIT_OK)
            return code;
        const struct json *rows = json_get(page, "data");
        for (size_t i = 0; i < json_count(rows); i++)
            if (strcmp(json_get_str(json_at(rows, i), "name"), flow) == 0) {
                (void)snprintf(ret_id, 40, "%s", json_get_str(json_at(rows, i), "id"));
                return EXIT_OK;
            }
        const char *next = json_get_str(json_get(page, "pagination"), "nextCursor");
        if (next == NULL)
            break;
        AUTO_FREE char *place = client_escape(next);
        (void)snprintf(cursor, sizeof cursor, "&cursor=%s", place);
    }
    (void)fprintf(stderr, "caudal: there is no flow named \"%s\".\n", flow);
    return EXIT_REFUSED;
}
