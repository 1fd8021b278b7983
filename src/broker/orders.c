/* What people said of executions. */
#include "broker/orders.h"

void orders_hear(struct recall *orders, const struct json *message)
{
    static const char *const verbs[] = {[ORDER_RESUME] = "resume", [ORDER_PAUSE] = "pause", [ORDER_CANCEL] = "cancel"};
    for (int order = ORDER_RESUME; order <= ORDER_CANCEL; order++)
        if (json_get_str(message, verbs[order]) != NULL)
            recall_put(orders, json_get_str(message, verbs[order]), order);
}

void orders_forget(struct recall *orders, const char *id)
{
    int order = recall_get(orders, id);
    if (order == ORDER_PAUSE || order == ORDER_RESUME)
        recall_put(orders, id, ORDER_NONE);
}
