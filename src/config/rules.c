/* The rules that hold between variables. */
#include "config/config_int.h"

#include "base/network.h"
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool is_read(const struct config *config, enum config_id id)
{
    return (config_variables[id].services & 1u << config->service) != 0;
}

static enum err refuse(const struct config *config, enum config_id id, const char *allowed, struct error *reterr)
{
    return config_refuse(&config_variables[id], config->service, config_str(config, id), allowed, reterr);
}

static enum err check_host(const struct config *config, struct error *reterr)
{
    unsigned char address[sizeof(struct in6_addr)];
    const char *host = config_str(config, CONFIG_HOST);
    if (strcmp(host, "localhost") != 0 && inet_pton(AF_INET, host, address) != 1 &&
        inet_pton(AF_INET6, host, address) != 1)
        return refuse(config, CONFIG_HOST, "an IPv4 or IPv6 address, such as 127.0.0.1, 0.0.0.0 or ::1, or localhost",
                      reterr);
    if (is_read(config, CONFIG_JWT_SECRET) && config_str(config, CONFIG_JWT_SECRET) == NULL &&
        !config_host_is_loopback(host))
        return refuse(
            config, CONFIG_HOST,
            "a loopback address (127.0.0.1, ::1, localhost) while JWT_SECRET is not set, because anybody could "
            "use the service without a login",
            reterr);
    return ERR_OK;
}

static enum err check_order(const struct config *config, enum config_id low, enum config_id high, bool may_equal,
                            struct error *reterr)
{
    if (!is_read(config, low) || !is_read(config, high))
        return ERR_OK;
    int64_t bottom = config_int(config, low), top = config_int(config, high);
    if (bottom < top || (may_equal && bottom == top))
        return ERR_OK;
    char allowed[160];
    (void)snprintf(allowed, sizeof allowed, "%s %s, which is %" PRId64, may_equal ? "at most" : "less than",
                   config_variables[high].name, top);
    return refuse(config, low, allowed, reterr);
}

static bool is_listening(const struct config *config, enum config_id id)
{
    if (!is_read(config, id) || config_int(config, id) == 0)
        return false;
    return id != CONFIG_METRICS_PORT || config_bool(config, CONFIG_METRICS_ENABLED);
}

static enum err check_ports(const struct config *config, struct error *reterr)
{
    static const enum config_id ports[] = {CONFIG_PORT, CONFIG_WS_PORT, CONFIG_METRICS_PORT, CONFIG_HEALTH_CHECK_PORT};
    for (size_t i = 1; i < sizeof ports / sizeof *ports; i++)
        for (size_t j = 0; j < i; j++)
            if (is_listening(config, ports[i]) && is_listening(config, ports[j]) &&
                config_int(config, ports[i]) == config_int(config, ports[j])) {
                char allowed[80];
                (void)snprintf(allowed, sizeof allowed, "another port than %s", config_variables[ports[j]].name);
                return refuse(config, ports[i], allowed, reterr);
            }
    return ERR_OK;
}

static enum err check_redis(const struct config *config, struct error *reterr)
{
    if (!is_read(config, CONFIG_REDIS_URL) || !config_bool(config, CONFIG_REDIS_CLUSTER_ENABLED) ||
        strcmp(config_str(config, CONFIG_REDIS_URL), "memory:") != 0)
        return ERR_OK;
    return refuse(config, CONFIG_REDIS_URL, "the address of a Redis Cluster while REDIS_CLUSTER_ENABLED is true",
                  reterr);
}

static enum err check_proxies(const struct config *config, struct error *reterr)
{
    struct network network;
    for (size_t i = 0; is_read(config, CONFIG_TRUSTED_PROXIES) && i < config_count(config, CONFIG_TRUSTED_PROXIES); i++)
        if (!network_parse(config_item(config, CONFIG_TRUSTED_PROXIES, i), &network))
            return refuse(config, CONFIG_TRUSTED_PROXIES,
                          "addresses or networks such as 192.0.2.1, 10.0.0.0/8 or fd00::/8, separated by commas",
                          reterr);
    return ERR_OK;
}

enum err config_rules_check(const struct config *config, struct error *reterr)
{
    enum err err = check_host(config, reterr);
    if (err == ERR_OK)
        err = check_order(config, CONFIG_QUEUE_LOW_WATER_MARK, CONFIG_QUEUE_HIGH_WATER_MARK, false, reterr);
    if (err == ERR_OK)
        err = check_order(config, CONFIG_MIN_WORKERS, CONFIG_MAX_WORKERS, true, reterr);
    if (err == ERR_OK)
        err = check_ports(config, reterr);
    if (err == ERR_OK)
        err = check_proxies(config, reterr);
    return err != ERR_OK ? err : check_redis(config, reterr);
}
