/* What is declared on a broker, and what travels over it; no service is needed. */
#include "cli/cli.h"

#include "broker/message_types.h"
#include "broker/topology.h"
#include "config/config.h"
#include <stdio.h>
#include <string.h>

static int print(void (*format)(struct buf *out))
{
    AUTO_BUF struct buf text;
    buf_init(&text, 0);
    format(&text);
    (void)fputs(buf_str(&text), stdout);
    return EXIT_OK;
}

int command_topology(const struct cli *cli)
{
    struct config config;
    struct error error = {0};
    if (config_load(SERVICE_STANDALONE, config_from_environment, NULL, &config, &error) != ERR_OK)
        return cli_fail(&error);
    const struct topology topology = {.exchange = config_str(&config, CONFIG_RABBITMQ_EXCHANGE),
                                      .shards = (unsigned)config_int(&config, CONFIG_EVENT_SHARDS)};
    if (cli->json) {
        AUTO_JSON struct json *all = topology_describe(&topology);
        (void)cli_print_json(all);
    } else {
        AUTO_BUF struct buf text;
        buf_init(&text, 0);
        topology_print_text(&topology, &text);
        (void)fputs(buf_str(&text), stdout);
    }
    config_done(&config);
    return EXIT_OK;
}

int command_asyncapi(const struct cli *cli)
{
    (void)cli;
    struct config config;
    struct error error = {0};
    if (config_load(SERVICE_STANDALONE, config_from_environment, NULL, &config, &error) != ERR_OK)
        return cli_fail(&error);
    const struct topology topology = {.exchange = config_str(&config, CONFIG_RABBITMQ_EXCHANGE),
                                      .shards = (unsigned)config_int(&config, CONFIG_EVENT_SHARDS)};
    AUTO_JSON struct json *document = topology_asyncapi(&topology, CAUDAL_VERSION);
    (void)cli_print_json(document);
    config_done(&config);
    return EXIT_OK;
}

int command_messages(const struct cli *cli)
{
    if (cli->word_count > 0 && strcmp(cli->words[0], "reference") == 0)
        return print(topology_print_markdown);
    if (cli->word_count > 0) {
        const struct message_type *type = message_type_find(cli->words[0]);
        if (type == NULL) {
            (void)fprintf(stderr, "caudal: there is no message \"%s\"; caudal messages lists them.\n", cli->words[0]);
            return EXIT_FAILED;
        }
        AUTO_JSON struct json *schema = message_type_schema(type);
        return cli_print_json(schema);
    }
    AUTO_JSON struct json *all = json_object_new();
    for (const struct message_type *type = message_types; type->name != NULL; type++) {
        if (cli->json)
            json_set(all, type->name, message_type_schema(type));
        else
            (void)printf("%-14s %s\n", type->name, type->help);
    }
    return cli->json ? cli_print_json(all) : EXIT_OK;
}
