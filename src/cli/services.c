/* caudal standalone, gateway, orchestrator, worker: the services. */
#include "cli/cli.h"
#include "cli/demo.h"

#include "service/service.h"
#include <stdio.h>

struct start {
    const struct cli *cli;
    enum service service;
};

static void on_ready(void *user, const char *host, int port, const char *files)
{
    const struct start *start = user;
    if (start->service == SERVICE_STANDALONE || start->service == SERVICE_GATEWAY)
        (void)printf("Caudal %s is ready: http://%s:%d\n", CAUDAL_VERSION, host, port);
    else
        (void)printf("Caudal %s %s is ready: http://%s:%d/health\n", CAUDAL_VERSION,
                     config_service_name(start->service), host, port);
    (void)fflush(stdout);
    if (start->cli->demo != NULL && start->service == SERVICE_STANDALONE)
        demo_run(start->cli, port, start->cli->demo, files);
}

static int run(const struct cli *cli, enum service service)
{
    struct start start = {.cli = cli, .service = service};
    struct error error = {0};
    return service_run(&(struct service_options){.service = service, .on_ready = on_ready, .user = &start}, &error)
               ? EXIT_OK
               : cli_fail(&error);
}

int command_standalone(const struct cli *cli)
{
    return run(cli, SERVICE_STANDALONE);
}

int command_gateway(const struct cli *cli)
{
    return run(cli, SERVICE_GATEWAY);
}

int command_orchestrator(const struct cli *cli)
{
    return run(cli, SERVICE_ORCHESTRATOR);
}

int command_worker(const struct cli *cli)
{
    return run(cli, SERVICE_WORKER);
}
