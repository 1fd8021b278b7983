/* Settings that can be changed while running: kept in the store, told by the control message {settings: true}. */
#include "orchestrator/orchestrator_int.h"

#include "base/log.h"
#include "base/mem.h"
#include <string.h>

void settings_load(struct orchestrator *o)
{
    struct store_session *session;
    struct error error;
    AUTO_JSON struct json *kept = NULL;
    enum err code = store_read_begin(o->options.store, &session, &error);
    if (code == ERR_OK) {
        code = store_get(session, STORE_SETTINGS, "loadBalanceStrategy", &kept, &error);
        store_read_end(o->options.store, session);
    }
    const char *strategy = json_get_str(kept, "value");
    if (code == ERR_OK && strategy != NULL && strcmp(strategy, dispatch_strategy_name(o->strategy.strategy)) != 0)
        code = orchestrator_set_strategy(o, strategy, &error);
    if (code != ERR_OK && code != ERR_NOT_FOUND)
        log_event(LOG_WARN, "the settings cannot be read", LOG_CAUSE(&error), LOG_END);
}
