/* Commands that need no service. */
#include "cli/cli.h"

#include "config/config.h"
#include "gateway/api.h"
#include "nodes/node.h"
#include <stdio.h>
#include <string.h>

int command_version(const struct cli *cli)
{
    (void)cli;
    (void)printf("caudal %s\n", CAUDAL_VERSION);
    return EXIT_OK;
}

int command_config(const struct cli *cli)
{
    enum service service = SERVICE_STANDALONE;
    if (cli->word_count > 0) {
        if (strcmp(cli->words[0], "reference") == 0) {
            struct buf page;
            buf_init(&page, 0);
            config_print_markdown(&page);
            (void)fputs(buf_str(&page), stdout);
            buf_done(&page);
            return EXIT_OK;
        }
        for (service = 0; service < SERVICE_COUNT && strcmp(config_service_name(service), cli->words[0]) != 0;
             service++)
            ;
        if (service == SERVICE_COUNT) {
            (void)fprintf(stderr, "caudal: SERVICE must be gateway, orchestrator, worker or standalone, not \"%s\".\n",
                          cli->words[0]);
            return EXIT_USAGE;
        }
    }
    struct config config;
    struct error error = {0};
    if (config_load(service, config_from_environment, NULL, &config, &error) != ERR_OK)
        return cli_fail(&error);
    struct buf text;
    buf_init(&text, 0);
    if (cli->json)
        config_print_json(&config, &text);
    else
        config_print_text(&config, &text);
    (void)fputs(buf_str(&text), stdout);
    buf_done(&text);
    config_done(&config);
    return EXIT_OK;
}

int command_nodes(const struct cli *cli)
{
    if (cli->word_count > 0) {
        const struct node_type *type = node_registry_find(cli->words[0]);
        if (type == NULL) {
            (void)fprintf(stderr, "caudal: there is no node type \"%s\"; caudal nodes lists them.\n", cli->words[0]);
            return EXIT_FAILED;
        }
        AUTO_JSON struct json *document = node_type_documentation(type);
        if (cli->json)
            return cli_print_json(document);
        (void)printf("%s %s: %s\n\n%s\n\nConfiguration:\n", type->spec.type, type->version, type->description,
                     type->purpose);
        for (const struct field *field = type->spec.fields; field != NULL && field->name != NULL; field++)
            (void)printf("  %-18s %s%s%s%s\n", field->name, field->help, field->required ? " Required." : "",
                         field->default_json == NULL ? "" : " Default: ",
                         field->default_json == NULL ? "" : field->default_json);
        (void)printf("\nOutputs:\n");
        for (const struct flow_pin *pin = type->spec.outputs; pin != NULL && pin->name != NULL; pin++)
            (void)printf("  %-18s %s\n", pin->name, pin->description == NULL ? "" : pin->description);
        for (const struct node_example *example = type->examples; example != NULL && example->title != NULL; example++)
            (void)printf("\nExample: %s. %s\n  %s\n", example->title, example->description,
                         example->configuration_json);
        return EXIT_OK;
    }
    AUTO_JSON struct json *list = json_array_new();
    for (const struct node_type *const *type = node_registry_all(); *type != NULL; type++) {
        if (cli->json)
            json_push(list, node_type_definition(*type));
        else
            (void)printf("%-18s %-15s %s\n", (*type)->spec.type, (*type)->category, (*type)->description);
    }
    return cli->json ? cli_print_json(list) : EXIT_OK;
}

int command_openapi(const struct cli *cli)
{
    (void)cli;
    AUTO_JSON struct json *document = api_openapi();
    return cli_print_json(document);
}

/* Groups first, then the verbs of a group. */
int command_completion(const struct cli *cli)
{
    (void)cli;
    (void)printf("_caudal() {\n    local current=${COMP_WORDS[COMP_CWORD]}\n    case $COMP_CWORD in\n    1) "
                 "COMPREPLY=($(compgen -W \"");
    const char *last = "";
    for (const struct command *command = cli_commands; command->name != NULL; command++) {
        size_t n = strcspn(command->name, " ");
        if (strncmp(last, command->name, n) != 0 || (last[n] != ' ' && last[n] != '\0'))
            (void)printf("%.*s ", (int)n, command->name);
        last = command->name;
    }
    (void)printf("\" -- \"$current\")) ;;\n    2) case ${COMP_WORDS[1]} in\n");
    for (const struct command *first = cli_commands; first->name != NULL;) {
        size_t n = strcspn(first->name, " ");
        const struct command *command = first;
        if (first->name[n] == ' ')
            (void)printf("        %.*s) COMPREPLY=($(compgen -W \"", (int)n, first->name);
        for (; command->name != NULL && strncmp(command->name, first->name, n) == 0 && command->name[n] == ' ';
             command++)
            (void)printf("%s ", command->name + n + 1);
        if (first->name[n] == ' ')
            (void)printf("\" -- \"$current\")) ;;\n");
        first = command == first ? first + 1 : command;
    }
    (void)printf("        nodes) COMPREPLY=($(compgen -W \"");
    for (const struct node_type *const *type = node_registry_all(); *type != NULL; type++)
        (void)printf("%s ", (*type)->spec.type);
    (void)printf("\" -- \"$current\")) ;;\n        config) COMPREPLY=($(compgen -W \"gateway orchestrator worker "
                 "standalone\" -- \"$current\")) ;;\n        esac ;;\n"
                 "    *) COMPREPLY=($(compgen -f -- \"$current\")) ;;\n    esac\n"
                 "    [[ $current == -* ]] && COMPREPLY=($(compgen -W \"--url --api-key --json --input --output "
                 "--status --flow --limit --count --from --to --note --name --node --same --failed --detach --help\" "
                 "-- \"$current\"))\n"
                 "}\ncomplete -o filenames -F _caudal caudal\n");
    return EXIT_OK;
}
