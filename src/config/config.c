/* Loads a service's configuration and reads it. */
#include "config/config_int.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct config_variable config_variables[CONFIG_COUNT] = {
#define X(id, ...) [CONFIG_##id] = {.name = #id, __VA_ARGS__},
    CONFIG_VARIABLES(X)
#undef X
};

const char *config_service_name(enum service service)
{
    static const char *const names[] = {"gateway", "orchestrator", "worker", "standalone"};
    assert(service < SERVICE_COUNT);
    return names[service];
}

const char *config_from_environment(void *user, const char *name)
{
    (void)user;
    return getenv(name);
}

struct loader {
    config_getter *getter;
    void *user;
    struct config *config;
};

static const char *get_text(const struct loader *loader, const char *name)
{
    const char *text = loader->getter(loader->user, name);
    return text == NULL || text[0] == '\0' ? NULL : text;
}

/* The environment's HOSTNAME is what containers set; a plain shell has it, but does not export it. */
static const char *host_name(const struct loader *loader)
{
    const char *text = get_text(loader, "HOSTNAME");
    char name[256] = "";
    if (text != NULL)
        return arena_dup(&loader->config->arena, text);
    if (gethostname(name, sizeof name - 1) != 0 || name[0] == '\0')
        return "localhost";
    return arena_dup(&loader->config->arena, name);
}

static const char *fill_in(const struct loader *loader, const char *text, const char *placeholder, const char *value)
{
    const char *at = strstr(text, placeholder);
    if (at == NULL)
        return text;
    return arena_printf(&loader->config->arena, "%.*s%s%s", (int)(at - text), text, value, at + strlen(placeholder));
}

static const char *expand(const struct loader *loader, const char *text)
{
    const char *data_dir = loader->config->values[CONFIG_DATA_DIR].text;
    if (strstr(text, "${HOSTNAME}") != NULL)
        text = fill_in(loader, text, "${HOSTNAME}", host_name(loader));
    return data_dir == NULL ? text : fill_in(loader, text, "${DATA_DIR}", data_dir);
}

static enum err load_variable(const struct loader *loader, enum config_id id, struct error *reterr)
{
    const struct config_variable *variable = &config_variables[id];
    struct config *config = loader->config;
    const char *given = get_text(loader, variable->name), *text = given;
    if (text == NULL)
        text = variable->defaults[config->service];
    if (text == NULL)
        return variable->required ? config_refuse(variable, config->service, NULL, NULL, reterr) : ERR_OK;
    if (given == NULL || variable->identifier)
        text = expand(loader, text);
    config->values[id].from_environment = given != NULL;
    return config_value_decode(variable, config->service, text, &config->arena, &config->values[id], reterr);
}

enum err config_load(enum service service, config_getter *getter, void *user, struct config *ret, struct error *reterr)
{
    struct config config = {.service = service};
    struct loader loader = {.getter = getter, .user = user, .config = &config};
    arena_init(&config.arena);
    enum err err = ERR_OK;
    for (int id = 0; err == ERR_OK && id < CONFIG_COUNT; id++)
        if ((config_variables[id].services & 1u << service) != 0)
            err = load_variable(&loader, (enum config_id)id, reterr);
    if (err == ERR_OK)
        err = config_rules_check(&config, reterr);
    if (err != ERR_OK) {
        config_done(&config);
        return err;
    }
    *ret = config;
    return ERR_OK;
}

void config_done(struct config *config)
{
    if (config == NULL)
        return;
    arena_done(&config->arena);
    *config = (struct config){.service = config->service};
}

int64_t config_int(const struct config *config, enum config_id id)
{
    assert(config_variables[id].kind == CONFIG_INT || config_variables[id].kind == CONFIG_BYTES);
    return config->values[id].number;
}

bool config_bool(const struct config *config, enum config_id id)
{
    assert(config_variables[id].kind == CONFIG_BOOL);
    return config->values[id].number != 0;
}

int config_enum(const struct config *config, enum config_id id)
{
    assert(config_variables[id].kind == CONFIG_ENUM);
    return (int)config->values[id].number;
}

const char *config_str(const struct config *config, enum config_id id)
{
    return config->values[id].text;
}

size_t config_count(const struct config *config, enum config_id id)
{
    assert(config_variables[id].kind == CONFIG_URL || config_variables[id].kind == CONFIG_LIST);
    return config->values[id].count;
}

const char *config_item(const struct config *config, enum config_id id, size_t index)
{
    return index < config_count(config, id) ? config->values[id].items[index] : NULL;
}

bool config_is_set(const struct config *config, enum config_id id)
{
    return config->values[id].from_environment;
}

bool config_host_is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, host, &v6) == 1)
        return memcmp(&v6, &in6addr_loopback, sizeof v6) == 0;
    return strcmp(host, "localhost") == 0;
}
