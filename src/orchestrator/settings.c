/* Settings that can be changed while running: kept in the store, told by the control message {settings: true}. */
#include "orchestrator/orchestrator_int.h"

#include "base/log.h"
#include "base/mem.h"
#include <string.h>

/* The value kept under that name; NULL in *ret: none is kept. */
static enum err read_setting(struct store_session *session, const char *name, struct json **ret, struct error *reterr)
{
    AUTO_JSON struct json *kept = NULL;
    enum err code = store_get(session, STORE_SETTINGS, name, &kept, reterr);
    *ret = code == ERR_OK ? json_ref(json_get(kept, "value")) : NULL;
    return code == ERR_NOT_FOUND ? ERR_OK : code;
}

void settings_load(struct orchestrator *o)
{
    struct store_session *session;
    struct error error;
    AUTO_JSON struct json *strategy = NULL, *scaling = NULL;
    enum err code = store_read_begin(o->options.store, &session, &error);
    if (code == ERR_OK) {
        code = read_setting(session, "loadBalanceStrategy", &strategy, &error);
        if (code == ERR_OK)
            code = read_setting(session, "autoScaling", &scaling, &error);
        store_read_end(o->options.store, session);
    }
    const char *name = json_as_str(strategy);
    if (code == ERR_OK && scaling != NULL)
        scaler_configure(o->scaler, scaling);
    if (code == ERR_OK && name != NULL && strcmp(name, dispatch_strategy_name(o->strategy.strategy)) != 0)
        code = orchestrator_set_strategy(o, name, &error);
    if (code != ERR_OK)
        log_event(LOG_WARN, "the settings cannot be read", LOG_CAUSE(&error), LOG_END);
}
