/* All routes, in the order they are matched and documented. */
#include "gateway/api_int.h"

extern const struct route flow_routes[], expression_routes[], variable_routes[], secret_routes[], wait_routes[],
    execution_routes[], execution_again_routes[], attempt_routes[], schedule_routes[], schedule_time_routes[],
    catalog_routes[], monitoring_routes[], timeline_routes[], operate_routes[], settings_routes[], cluster_routes[],
    session_routes[], user_routes[], api_key_routes[], audit_routes[], webhook_routes[], document_routes[],
    websocket_routes[];

const struct route *const route_tables[] = {flow_routes,          expression_routes,      variable_routes,
                                            secret_routes,        execution_again_routes, wait_routes,
                                            attempt_routes,       execution_routes,       schedule_routes,
                                            schedule_time_routes, catalog_routes,         monitoring_routes,
                                            timeline_routes,      operate_routes,         settings_routes,
                                            cluster_routes,       session_routes,         user_routes,
                                            api_key_routes,       audit_routes,           webhook_routes,
                                            document_routes,      websocket_routes,       NULL};
