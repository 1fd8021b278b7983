/* The addresses in RABBITMQ_URL. */
#include "broker/rabbitmq/rabbitmq_int.h"

#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

#define ADDRESSES_MAX 16
#define HEARTBEAT_S 10
#define SYSTEM_CAS "/etc/ssl/certs/ca-certificates.crt"

static enum err refuse(struct error *reterr, const char *what)
{
    return error_set(reterr, ERR_VALIDATION, "RABBITMQ_URL",
                     "RABBITMQ_URL must be amqp://user:password@host:port/vhost or amqps://…, several separated by "
                     "commas; %s.",
                     what);
}

/* name=value of the RabbitMQ URI query parameters that mean something here. */
static enum err parse_parameter(char *text, struct address *address, struct error *reterr)
{
    char *value = strchr(text, '=');
    if (value == NULL)
        return refuse(reterr, "a parameter after ? is name=value");
    *value++ = '\0';
    char **file = strcmp(text, "cacertfile") == 0 ? &address->ca_file
                  : strcmp(text, "certfile") == 0 ? &address->cert_file
                  : strcmp(text, "keyfile") == 0  ? &address->key_file
                                                  : NULL;
    if (file != NULL) {
        free(*file);
        *file = mem_dup(value);
        return ERR_OK;
    }
    if (strcmp(text, "verify") == 0 && (strcmp(value, "verify_none") == 0 || strcmp(value, "verify_peer") == 0)) {
        address->verify = strcmp(value, "verify_peer") == 0;
        return ERR_OK;
    }
    char *end;
    long seconds = strtol(value, &end, 10);
    if (strcmp(text, "heartbeat") == 0 && *value != '\0' && *end == '\0' && seconds >= 1 && seconds <= 600) {
        address->heartbeat_s = (int)seconds;
        return ERR_OK;
    }
    return refuse(reterr, "the parameters are heartbeat (1 to 600), cacertfile, certfile, keyfile and verify "
                          "(verify_peer or verify_none)");
}

static enum err parse_one(char *text, struct address *address, struct error *reterr)
{
    struct amqp_connection_info info;
    *address = (struct address){.heartbeat_s = HEARTBEAT_S, .verify = true};
    char *query = strchr(text, '?');
    if (query != NULL)
        *query++ = '\0';
    if (amqp_parse_url(text, &info) != AMQP_STATUS_OK)
        return refuse(reterr, "one of them cannot be read");
    if (info.host == NULL || *info.host == '\0')
        return refuse(reterr, "one of them has no host");
    address->host = mem_dup(info.host);
    address->user = mem_dup(info.user);
    address->password = mem_dup(info.password);
    address->vhost = mem_dup(*info.vhost == '\0' ? "/" : info.vhost); /* nobody means the vhost of no name */
    address->port = info.port;
    address->tls = info.ssl != 0;
    char *rest = query;
    for (char *parameter; rest != NULL && (parameter = strtok_r(rest, "&", &rest)) != NULL;) {
        enum err code = parse_parameter(parameter, address, reterr);
        if (code != ERR_OK)
            return code;
    }
    if (address->tls && address->ca_file == NULL)
        address->ca_file = mem_dup(SYSTEM_CAS);
    return ERR_OK;
}

enum err addresses_parse(const char *url, struct address **ret, size_t *ret_count, struct error *reterr)
{
    AUTO_FREE char *copy = mem_dup(url);
    struct address *addresses = mem_array(ADDRESSES_MAX, sizeof *addresses);
    size_t count = 0;
    enum err code = ERR_OK;
    char *rest = copy;
    for (char *text; code == ERR_OK && (text = strtok_r(rest, ",", &rest)) != NULL;)
        code = count == ADDRESSES_MAX ? refuse(reterr, "at most 16 addresses")
                                      : parse_one(text, &addresses[count++], reterr);
    if (code != ERR_OK) {
        addresses_free(addresses, count);
        return code;
    }
    *ret = addresses;
    *ret_count = count;
    return ERR_OK;
}

void addresses_free(struct address *addresses, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(addresses[i].host);
        free(addresses[i].user);
        free(addresses[i].password);
        free(addresses[i].vhost);
        free(addresses[i].ca_file);
        free(addresses[i].cert_file);
        free(addresses[i].key_file);
    }
    free(addresses);
}
