/* The configuration of a service: decoded once at start from environment variables, constant afterwards and therefore
 * readable from every thread. The variables themselves are in variables.h. An empty variable counts as not set. */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"
#include "config/variables.h"
#include <stdint.h>

enum service { SERVICE_GATEWAY, SERVICE_ORCHESTRATOR, SERVICE_WORKER, SERVICE_STANDALONE, SERVICE_COUNT };
const char *config_service_name(enum service service);

enum config_id {
#define X(name, ...) CONFIG_##name,
    CONFIG_VARIABLES(X)
#undef X
        CONFIG_COUNT
};

enum config_kind {
    CONFIG_STRING, /* min..max bytes, printable */
    CONFIG_INT,    /* min..max */
    CONFIG_BYTES,  /* min..max bytes; 512, 64KiB, 8MiB, 1GiB */
    CONFIG_BOOL,   /* true, false, yes, no, on, off, 1, 0 */
    CONFIG_ENUM,   /* one of `values` */
    CONFIG_URL,    /* one of `schemes`; several, separated by commas, where `many` is set */
    CONFIG_LIST    /* words separated by commas; with min..max: of so many bytes each, printable */
};

struct config_variable {
    const char *name;
    enum config_kind kind;
    unsigned services; /* bits 1 << enum service */
    int64_t min, max;
    size_t most;      /* CONFIG_LIST: words; 0: 64 */
    const char *unit; /* "ms", "connections"…; NULL: none */
    const char *defaults[SERVICE_COUNT];
    const char *const *values;        /* CONFIG_ENUM */
    const char *const *schemes;       /* CONFIG_URL, on every service */
    const char *const *local_schemes; /* CONFIG_URL, on standalone only, or NULL */
    bool many;                        /* CONFIG_URL: a list */
    bool required;                    /* a service without a default refuses to start without it */
    bool secret;                      /* never shown */
    bool password;                    /* CONFIG_URL: may hold a password, which is never shown */
    bool identifier;                  /* CONFIG_STRING: letters, digits, . _ -; ${HOSTNAME} is filled in */
    bool origins;                     /* CONFIG_LIST: of scheme://host[:port], or * */
    const char *help;
};
extern const struct config_variable config_variables[CONFIG_COUNT];

struct config_value {
    const char *text;   /* NULL: not set and no default */
    int64_t number;     /* INT, BYTES; BOOL 0 or 1; ENUM the index in `values` */
    const char **items; /* LIST and URL, split */
    size_t count;
    bool from_environment;
};

struct config {
    enum service service;
    struct config_value values[CONFIG_COUNT];
    struct arena arena; /* holds the texts */
};

/* The value of an environment variable, borrowed for the call, or NULL. */
typedef const char *config_getter(void *user, const char *name);
const char *config_from_environment(void *user, const char *name); /* getenv; user is ignored */

/* Decodes what `service` reads; other variables are ignored and keep no value. On success *ret is yours (config_done);
 * otherwise it is untouched and *reterr says, on one line, which variable, what value (secrets masked) and what is
 * allowed: ERR_VALIDATION, field = the variable. */
enum err config_load(enum service service, config_getter *getter, void *user, struct config *ret,
                     struct error *reterr) ERROR_MUST_CHECK;
void config_done(struct config *config);

/* Typed reads. Asking for another kind than the table's is a defect and aborts. */
int64_t config_int(const struct config *config, enum config_id id); /* INT and BYTES; 0 when it has no value */
bool config_bool(const struct config *config, enum config_id id);   /* false when it has no value */
int config_enum(const struct config *config, enum config_id id);    /* the place in `values`, from 0 */
const char *config_str(const struct config *config,
                       enum config_id id);                           /* any kind, as text; NULL when it has no value */
size_t config_count(const struct config *config, enum config_id id); /* URL and LIST: how many */
const char *config_item(const struct config *config, enum config_id id, size_t index); /* NULL beyond the end */
bool config_is_set(const struct config *config, enum config_id id);                    /* by the environment */

/* Whether only this machine can reach an address: 127.0.0.0/8, ::1, localhost. */
bool config_host_is_loopback(const char *host);

/* The values in force and where they are from, secrets masked. */
void config_print_text(const struct config *config, struct buf *out);
void config_print_json(const struct config *config,
                       struct buf *out); /* {service, variables: [{name, value, source…}]} */
/* The reference page, docs/reference/configuration.md. */
void config_print_markdown(struct buf *out);

/* A value as it may be shown: secrets as ••••, and so the passwords inside URLs, well formed or not. */
#define CONFIG_MASK "••••"
void config_value_mask(const struct config_variable *variable, const char *text, struct buf *out);
