/* The scale subresource of a Deployment (Kubernetes API, apps/v1): the number of replicas is set, the rest is its. */
#include "orchestrator/scaling_driver.h"

#include "base/mem.h"
#include "nodes/http_client.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WITHIN_MS 10000
#define MOST_FILE_BYTES 65536

struct replicas {
    struct scaling_driver base;
    struct loop *loop;
    const struct scaling_options *options;
    struct http_client *http;
    struct http_transfer *transfer;
    scaling_done_fn done;
    void *user;
    struct error error; /* the request could not be made */
};

/* A file of the service account, without the end of its last line; the token changes, so it is read each time. */
static enum err read_account(const struct replicas *replicas, const char *name, char **ret, struct error *reterr)
{
    AUTO_FREE char *path = mem_printf("%s/%s", replicas->options->kubernetes_account, name);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return error_set(reterr, ERR_IO, "AUTO_SCALING_KUBERNETES_ACCOUNT", "%.300s cannot be read.", path);
    char *text = mem_alloc(MOST_FILE_BYTES + 1);
    size_t size = fread(text, 1, MOST_FILE_BYTES, file);
    (void)fclose(file);
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r'))
        size--;
    text[size] = '\0';
    *ret = text;
    return ERR_OK;
}

static void on_answer(void *user, const struct http_response *response, const struct error *error)
{
    struct replicas *replicas = user;
    struct error refused = {0};
    replicas->transfer = NULL;
    if (error == NULL && response->status / 100 != 2) {
        (void)error_set(&refused, ERR_IO, NULL, "Kubernetes answered with status %d: %.300s", response->status,
                        response->body);
        error = &refused;
    }
    replicas->done(replicas->user, error);
}

static enum err send_scale(struct replicas *replicas, unsigned target, struct error *reterr)
{
    static const struct http_header headers[] = {{"Content-Type", "application/merge-patch+json"}};
    AUTO_FREE char *token = NULL, *authority = NULL, *space = NULL;
    const struct scaling_options *options = replicas->options;
    bool tls = strncmp(options->kubernetes_url, "https:", 6) == 0;
    enum err code = read_account(replicas, "token", &token, reterr);
    if (code == ERR_OK)
        code = read_account(replicas, "namespace", &space, reterr);
    if (code == ERR_OK && tls)
        code = read_account(replicas, "ca.crt", &authority, reterr);
    if (code != ERR_OK)
        return code;
    AUTO_FREE char *url = mem_printf("%s/apis/apps/v1/namespaces/%s/deployments/%s/scale", options->kubernetes_url,
                                     space, options->kubernetes_deployment);
    char body[64];
    int length = snprintf(body, sizeof body, "{\"spec\":{\"replicas\":%u}}", target);
    struct http_request request = {.method = "PATCH",
                                   .url = url,
                                   .headers = headers,
                                   .header_count = 1,
                                   .body = body,
                                   .body_len = (size_t)length,
                                   .bearer = token,
                                   .timeout_ms = WITHIN_MS,
                                   .proxy = "",
                                   .ca = authority};
    return http_client_start(replicas->http, &request, on_answer, replicas, &replicas->transfer, reterr);
}

static void on_refused(void *user)
{
    const struct replicas *replicas = user;
    replicas->done(replicas->user, &replicas->error);
}

static void apply_replicas(struct scaling_driver *driver, const struct scaling_order *order, scaling_done_fn done,
                           void *user)
{
    struct replicas *replicas = (struct replicas *)driver;
    replicas->done = done;
    replicas->user = user;
    if (send_scale(replicas, order->target, &replicas->error) != ERR_OK)
        loop_post(replicas->loop, on_refused, replicas);
}

static void close_replicas(struct scaling_driver *driver)
{
    struct replicas *replicas = (struct replicas *)driver;
    http_transfer_abort(replicas->transfer);
    http_client_free(replicas->http);
    loop_unpost(replicas->loop, on_refused, replicas);
    free(replicas);
}

static enum err open_replicas(const struct scaling_options *options, struct loop *loop, struct scaling_driver **ret,
                              struct error *reterr)
{
    if (options->kubernetes_deployment == NULL)
        return error_set(reterr, ERR_VALIDATION, "AUTO_SCALING_KUBERNETES_DEPLOYMENT",
                         "AUTO_SCALING_DRIVER=kubernetes needs AUTO_SCALING_KUBERNETES_DEPLOYMENT: the name of the "
                         "workers' Deployment.");
    struct replicas *replicas = mem_alloc(sizeof *replicas);
    *replicas = (struct replicas){.base = {&scaling_kubernetes},
                                  .loop = loop,
                                  .options = options,
                                  .http = http_client_new(loop, &(struct http_client_options){0})};
    *ret = &replicas->base;
    return ERR_OK;
}

const struct scaling_driver_ops scaling_kubernetes = {
    .name = "kubernetes", .by_number = true, .open = open_replicas, .apply = apply_replicas, .close = close_replicas};
