/* The one table of configuration variables. X(NAME, fields of struct config_variable…); from it come the ids
 * CONFIG_NAME, decoding, `caudal config` and docs/reference/configuration.md. DATA_DIR stands before the defaults that
 * mention it. */
#pragma once

/* Services that read a variable. */
#define ON_GATEWAY (1u << SERVICE_GATEWAY)
#define ON_ORCHESTRATOR (1u << SERVICE_ORCHESTRATOR)
#define ON_WORKER (1u << SERVICE_WORKER)
#define ON_STANDALONE (1u << SERVICE_STANDALONE)
#define ON_ALL (ON_GATEWAY | ON_ORCHESTRATOR | ON_WORKER | ON_STANDALONE)
#define ON_API (ON_GATEWAY | ON_STANDALONE)
#define ON_DISPATCH (ON_ORCHESTRATOR | ON_STANDALONE)
#define ON_RUN (ON_WORKER | ON_STANDALONE)

/* Defaults: gateway, orchestrator, worker, standalone. NULL: none. ${HOSTNAME} and ${DATA_DIR} are filled in. */
#define EACH(g, o, w, s) .defaults = {(g), (o), (w), (s)}
#define SAME(d) EACH(d, d, d, d)
#define RANGE(low, high) .min = (low), .max = (high)
#define VALUES(...)                                                                                                    \
    .values = (const char *const[])                                                                                    \
    {                                                                                                                  \
        __VA_ARGS__, NULL                                                                                              \
    }
#define SCHEMES(...)                                                                                                   \
    .schemes = (const char *const[])                                                                                   \
    {                                                                                                                  \
        __VA_ARGS__, NULL                                                                                              \
    }
#define LOCAL_SCHEMES(...)                                                                                             \
    .local_schemes = (const char *const[])                                                                             \
    {                                                                                                                  \
        __VA_ARGS__, NULL                                                                                              \
    }

// clang-format off
#define CONFIG_VARIABLES(X)                                                                                            \
    X(INSTANCE_ID, .kind = CONFIG_STRING, .services = ON_GATEWAY | ON_ORCHESTRATOR, RANGE(1, 100), .identifier = true, \
      .help = "Name of the gateway or orchestrator in logs and among the others, different for each; without it the "  \
              "service, the host and the process id make one.")                                                        \
    X(NODE_ENV, .kind = CONFIG_ENUM, .services = ON_ALL, VALUES("development", "test", "production"),                  \
      EACH("production", "production", "production", "development"), .help = "Name of the deployment stage.")          \
    X(DATA_DIR, .kind = CONFIG_STRING, .services = ON_ALL, RANGE(1, 4000), SAME("./data"),                             \
      .help = "Directory for the files the service keeps: the SQLite database, uploaded files.")                       \
    X(HOST, .kind = CONFIG_STRING, .services = ON_ALL, RANGE(1, 64), SAME("127.0.0.1"),                                \
      .help = "Address that PORT, WS_PORT, METRICS_PORT and HEALTH_CHECK_PORT listen on: an IPv4 or IPv6 address, or " \
              "localhost. Beyond loopback the gateway, the orchestrator and standalone require JWT_SECRET.")           \
    X(PORT, .kind = CONFIG_INT, .services = ON_ALL, RANGE(0, 65535), EACH("3001", "3003", "3004", "3001"),             \
      .help = "TCP port of the service's HTTP interface; 0 lets the system choose.")                                   \
    X(WEB_DIR, .kind = CONFIG_STRING, .services = ON_API, RANGE(1, 4000), SAME(NULL),                                  \
      .help = "Folder of the page. Without it: web or share/caudal/web beside the folder of the program, where "       \
              "they are.")                                                                                             \
    X(DATABASE_URL, .kind = CONFIG_URL, .services = ON_ALL, .required = true, .password = true,                        \
      EACH(NULL, NULL, NULL, "sqlite:${DATA_DIR}/caudal.db"), SCHEMES("postgresql", "postgres"),                       \
      LOCAL_SCHEMES("sqlite"),                                                                                         \
      .help = "Database that holds flows and executions. A worker only reads from it: it may be given a replica.")     \
    X(DATABASE_POOL_SIZE, .kind = CONFIG_INT, .services = ON_ALL, RANGE(1, 1000), EACH("20", "10", "5", "8"),          \
      .unit = "connections", .help = "Connections to the database at the same time.")                                  \
    X(REDIS_URL, .kind = CONFIG_URL, .services = ON_GATEWAY | ON_RUN, .many = true, .password = true,                  \
      EACH("memory:", NULL, "memory:", "memory:"), SCHEMES("redis", "rediss", "memory"),                               \
      .help = "Shared cache, sessions and rate limits; several addresses of one cluster are separated by commas. "     \
              "memory: keeps them inside the process, which is right for a single gateway only.")                      \
    X(REDIS_CLUSTER_ENABLED, .kind = CONFIG_BOOL, .services = ON_GATEWAY | ON_RUN, SAME("false"),                      \
      .help = "REDIS_URL is a Redis Cluster.")                                                                         \
    X(RABBITMQ_URL, .kind = CONFIG_URL, .services = ON_ALL, .required = true, .many = true, .password = true,          \
      EACH(NULL, NULL, NULL, "memory:"), SCHEMES("amqp", "amqps"), LOCAL_SCHEMES("memory"),                            \
      .help = "RabbitMQ; the nodes of a cluster are separated by commas. memory: is the broker inside the process.")   \
    X(RABBITMQ_EXCHANGE, .kind = CONFIG_STRING, .services = ON_ALL, RANGE(1, 100), SAME("flow_orchestration"),         \
      .help = "Name of the exchange; the exchanges beside it begin with it.")                                          \
    X(RABBITMQ_PREFETCH, .kind = CONFIG_INT, .services = ON_ALL, RANGE(1, 65535), EACH("10", "50", "5", "50"),         \
      .unit = "messages", .help = "Messages a consumer holds unacknowledged at the same time.")                        \
    X(WS_PORT, .kind = CONFIG_INT, .services = ON_API, RANGE(0, 65535), SAME("3002"),                                  \
      .help = "TCP port for WebSockets, path /ws, which PORT serves too; 0 lets the system choose.")                   \
    X(WS_CORS_ORIGINS, .kind = CONFIG_LIST, .services = ON_API, .origins = true, SAME("http://localhost:5173"),        \
      .help = "Origins of pages on other hosts that may use the API and the WebSocket, separated by commas; * allows " \
              "all.")                                                                                                  \
    X(JWT_SECRET, .kind = CONFIG_STRING, .services = ON_API | ON_ORCHESTRATOR, .secret = true, RANGE(32, 4096),        \
      .help = "Key that signs sessions, the same on every gateway and orchestrator. Without it nobody needs to log "   \
              "in, and HOST must be a loopback address.")                                                              \
    X(ADMIN_USERNAME, .kind = CONFIG_STRING, .services = ON_API, RANGE(1, 64), .identifier = true, SAME("admin"),      \
      .help = "Name of the first administrator, made at the first start with JWT_SECRET.")                             \
    X(ADMIN_PASSWORD, .kind = CONFIG_STRING, .services = ON_API, .secret = true, RANGE(10, 1024),                      \
      .help = "Password of the first administrator. Without it one is invented and written to "                        \
              "DATA_DIR/initial-admin-password, to be changed after the first login.")                                 \
    X(SECRETS_KEY, .kind = CONFIG_LIST, .services = ON_API | ON_WORKER, .secret = true, RANGE(32, 4096), .most = 8,    \
      .help = "Key that seals the secrets of flows, the same on every gateway and worker; `caudal secret key` makes "  \
              "one. Several, separated by commas, while keys are changed: the first seals, all of them open.")         \
    X(SECRETS_UNREADABLE, .kind = CONFIG_ENUM, .services = ON_API | ON_WORKER, VALUES("refuse", "accept"),             \
      SAME("refuse"),                                                                                                  \
      .help = "When there are secrets, and SECRETS_KEY opens none of them: refuse to start, or accept it, so that "    \
              "they can be given their values again; nodes that need them fail until then.")                           \
    X(API_RATE_LIMIT, .kind = CONFIG_INT, .services = ON_API, RANGE(0, 100000000), SAME("1000"),                       \
      .unit = "requests/min",                                                                                          \
      .help = "Requests a minute that one user, API key or, without either, address may make to /api and /ws; 0 is "   \
              "no limit. While nobody needs to log in it holds only where it is set.")                                 \
    X(TRUSTED_PROXIES, .kind = CONFIG_LIST, .services = ON_API,                                                        \
      .help = "Addresses or networks (10.0.0.0/8) of proxies in front, separated by commas; the client's address is "  \
              "taken from the X-Forwarded-For of these only.")                                                         \
    X(REQUEST_TIMEOUT_MS, .kind = CONFIG_INT, .services = ON_API, RANGE(100, 3600000), SAME("30000"), .unit = "ms",    \
      .help = "Time a client may take for a request's headers, for its body and for reading the answer; large ones "   \
              "have a second more for each 16 KiB.")                                                                   \
    X(AUDIT_DAYS, .kind = CONFIG_INT, .services = ON_API, RANGE(1, 36500), SAME("365"), .unit = "days",                \
      .help = "Age at which entries of the audit log are deleted.")                    \
    X(MAX_BODY_BYTES, .kind = CONFIG_BYTES, .services = ON_API, RANGE(1024, 1 << 30), SAME("8MiB"), .unit = "bytes",   \
      .help = "Largest body of a request.")                                                                            \
    X(HTTP_THREADS, .kind = CONFIG_INT, .services = ON_API, RANGE(1, 256), SAME("2"), .unit = "threads",               \
      .help = "Threads that read and write HTTP connections.")                                                         \
    X(HANDLER_THREADS, .kind = CONFIG_INT, .services = ON_API, RANGE(1, 1024), SAME("16"), .unit = "threads",          \
      .help = "Threads that answer requests, so requests that wait for the store at the same time.")                   \
    X(EVENT_SHARDS, .kind = CONFIG_INT, .services = ON_ALL, RANGE(1, 256), SAME("2"), .unit = "shards",                \
      .help = "Parts that executions are divided into, each handled by one orchestrator at a time; the same on "       \
              "every service.")                                                                                        \
    X(WORKER_HEALTH_CHECK_INTERVAL, .kind = CONFIG_INT, .services = ON_DISPATCH, RANGE(100, 3600000), SAME("30000"),   \
      .unit = "ms", .help = "Time between two checks of the workers' health.")                                         \
    X(WORKER_TIMEOUT, .kind = CONFIG_INT, .services = ON_DISPATCH, RANGE(100, 86400000), SAME("300000"),               \
      .unit = "ms", .help = "Time without progress after which a connected worker's executions go to others.")         \
    X(MAX_WORKER_LOSSES, .kind = CONFIG_INT, .services = ON_DISPATCH, RANGE(0, 1000), SAME("10"), .unit = "losses",      \
      .help = "Times in a row that an execution may lose its worker without a step that is kept; then it fails and "     \
              "is a dead letter. 0: as often as it happens.")                                                           \
    X(MIN_WORKERS, .kind = CONFIG_INT, .services = ON_DISPATCH, RANGE(0, 10000), EACH(NULL, "2", NULL, "1"),           \
      .unit = "workers", .help = "Workers that auto-scaling keeps at least.")                                          \
    X(MAX_WORKERS, .kind = CONFIG_INT, .services = ON_DISPATCH, RANGE(1, 10000), EACH(NULL, "20", NULL, "20"),         \
      .unit = "workers", .help = "Workers that auto-scaling starts at most.")                                          \
    X(AUTO_SCALING_ENABLED, .kind = CONFIG_BOOL, .services = ON_DISPATCH, EACH(NULL, "true", NULL, "false"),           \
      .help = "Start and stop workers as the queues grow and shrink.")                                                 \
    X(AUTO_SCALING_DRIVER, .kind = CONFIG_ENUM, .services = ON_ORCHESTRATOR,                                           \
      VALUES("none", "process", "docker", "kubernetes", "command"), SAME("none"),                                      \
      .help = "How workers are started and stopped: none only tells how many there should be, process starts them on " \
              "this machine, docker over the Engine's socket, kubernetes sets a Deployment's replicas, command runs a " \
              "program.")                                                                                              \
    X(AUTO_SCALING_COOLDOWN_MS, .kind = CONFIG_INT, .services = ON_ORCHESTRATOR, RANGE(1000, 86400000),                \
      SAME("30000"), .unit = "ms",                                                                                     \
      .help = "How long little must have been to do before workers are taken away, at most half of them at a time.")   \
    X(AUTO_SCALING_COMMAND, .kind = CONFIG_LIST, .services = ON_ORCHESTRATOR,                                          \
      .help = "For AUTO_SCALING_DRIVER=command: the program and its arguments, separated by commas; the number of "    \
              "workers is added as the last.")                                                                         \
    X(AUTO_SCALING_DOCKER_SOCKET, .kind = CONFIG_STRING, .services = ON_ORCHESTRATOR, RANGE(1, 100),                   \
      SAME("/var/run/docker.sock"), .help = "For AUTO_SCALING_DRIVER=docker: the Engine's socket.")                    \
    X(AUTO_SCALING_DOCKER_TEMPLATE, .kind = CONFIG_STRING, .services = ON_ORCHESTRATOR, RANGE(1, 128),                 \
      .identifier = true,                                                                                              \
      .help = "For AUTO_SCALING_DRIVER=docker: name of a worker's container; others are made like it, with names of "  \
              "their own.")                                                                                            \
    X(AUTO_SCALING_KUBERNETES_URL, .kind = CONFIG_URL, .services = ON_ORCHESTRATOR, SCHEMES("https", "http"),          \
      SAME("https://kubernetes.default.svc"), .help = "For AUTO_SCALING_DRIVER=kubernetes: the API server.")           \
    X(AUTO_SCALING_KUBERNETES_ACCOUNT, .kind = CONFIG_STRING, .services = ON_ORCHESTRATOR, RANGE(1, 4000),             \
      SAME("/var/run/secrets/kubernetes.io/serviceaccount"),                                                           \
      .help = "For AUTO_SCALING_DRIVER=kubernetes: folder with token, ca.crt and namespace of the service account.")   \
    X(AUTO_SCALING_KUBERNETES_DEPLOYMENT, .kind = CONFIG_STRING, .services = ON_ORCHESTRATOR, RANGE(1, 253),           \
      .identifier = true, .help = "For AUTO_SCALING_DRIVER=kubernetes: name of the workers' Deployment.")              \
    X(LOAD_BALANCE_STRATEGY, .kind = CONFIG_ENUM, .services = ON_DISPATCH,                                             \
      VALUES("round_robin", "least_busy", "weighted"), SAME("round_robin"),                                            \
      .help = "How the worker of an execution is chosen; it can be changed while running.")                            \
    X(QUEUE_HIGH_WATER_MARK, .kind = CONFIG_INT, .services = ON_ALL & ~ON_WORKER, RANGE(1, 100000000), SAME("1000"),   \
      .unit = "executions", .help = "Waiting executions above which new ones are refused with 503 and workers added.") \
    X(QUEUE_LOW_WATER_MARK, .kind = CONFIG_INT, .services = ON_ALL & ~ON_WORKER, RANGE(0, 100000000), SAME("100"),     \
      .unit = "executions", .help = "Waiting executions below which workers may be taken away.")                       \
    X(SCHEDULE_WINDOW_MS, .kind = CONFIG_INT, .services = ON_DISPATCH, RANGE(0, 31622400000), SAME("86400000"),        \
      .unit = "ms", .help = "How far back a schedule catches up on instants that were missed.")                        \
    X(RETENTION_DAYS, .kind = CONFIG_INT, .services = ON_DISPATCH, RANGE(0, 36500), SAME("30"), .unit = "days",        \
      .help = "Age at which finished executions are deleted; 0 keeps them for ever.")                                  \
    X(RETENTION_FAILED_DAYS, .kind = CONFIG_INT, .services = ON_DISPATCH, RANGE(0, 36500), SAME("0"), .unit = "days",  \
      .help = "The same of executions that failed or timed out; 0: as RETENTION_DAYS.")                                \
    X(RETENTION_COUNT, .kind = CONFIG_INT, .services = ON_DISPATCH, RANGE(0, 1000000000000), SAME("1000000"),          \
      .unit = "executions", .help = "Finished executions of each flow that are kept, the newest; 0 keeps all.")                     \
    X(WORKER_ID, .kind = CONFIG_STRING, .services = ON_RUN, RANGE(1, 100), .identifier = true,                         \
      SAME("worker-${HOSTNAME}"),                                                                                      \
      .help = "Name of the worker, different for each: letters, digits, '.', '_' and '-'. ${HOSTNAME} is filled in.")  \
    X(MAX_CONCURRENT_FLOWS, .kind = CONFIG_INT, .services = ON_RUN, RANGE(1, 1000000), SAME("1000"),                   \
      .unit = "executions", .help = "Executions that a worker runs at the same time.")                                 \
    X(MAX_CONCURRENT_NODES, .kind = CONFIG_INT, .services = ON_RUN, RANGE(1, 1024), SAME("10"), .unit = "threads",     \
      .help = "Nodes that block (a database driver, a file) at the same time; others are not limited.")                \
    X(SCRIPT_RUNNERS, .kind = CONFIG_INT, .services = ON_RUN, RANGE(1, 64), SAME("2"), .unit = "processes",            \
      .help = "Processes that run JavaScript at a time; they start when the first script needs one.")                  \
    X(SCRIPT_TIMEOUT_MS, .kind = CONFIG_INT, .services = ON_RUN, RANGE(10, 3600000), SAME("10000"), .unit = "ms",      \
      .help = "Longest time of one script: the expressions of a node, a code node, a mapping.")                        \
    X(SCRIPT_MEMORY_MB, .kind = CONFIG_INT, .services = ON_RUN, RANGE(32, 65536), SAME("256"), .unit = "MiB",          \
      .help = "Memory that one script may use.")                                                                       \
    X(MEMORY_LIMIT_MB, .kind = CONFIG_INT, .services = ON_RUN, RANGE(64, 16777216), SAME("1024"), .unit = "MiB",       \
      .help = "Memory of the worker and all it started; from 90 % of it on no further executions are taken.")                                            \
    X(CPU_LIMIT_CORES, .kind = CONFIG_INT, .services = ON_RUN, RANGE(1, 1024), SAME("2"), .unit = "cores",             \
      .help = "Processor cores of a worker and all it started; while it uses more, no further executions are taken.")                              \
    X(DRAIN_TIMEOUT_MS, .kind = CONFIG_INT, .services = ON_RUN, RANGE(0, 86400000), SAME("20000"), .unit = "ms",         \
      .help = "Time that a worker which is told to stop has to end or park what it runs; then it gives back the rest.") \
    X(HEALTH_REPORT_INTERVAL, .kind = CONFIG_INT, .services = ON_RUN, RANGE(100, 3600000), SAME("15000"),              \
      .unit = "ms", .help = "Time between two health reports of a worker.")                                            \
    X(ORCHESTRATOR_URL, .kind = CONFIG_URL, .services = ON_WORKER, .password = true, SCHEMES("http", "https"),         \
      EACH(NULL, NULL, "http://localhost:3003", NULL),                                                                 \
      .help = "Where a worker asks an orchestrator for what the broker does not carry.")                               \
    X(NODE_CORE_LOG_LEVEL, .kind = CONFIG_ENUM, .services = ON_RUN, VALUES("debug", "info", "warn", "error"),          \
      SAME("info"), .help = "Least important level that nodes write to the history of an execution.")                  \
    X(NODE_CORE_TIMEOUT, .kind = CONFIG_INT, .services = ON_RUN, RANGE(100, 86400000), SAME("60000"),                  \
      .unit = "ms", .help = "Time that one attempt of a node may take unless the node says otherwise.")                \
    X(HTTP_DENY_PRIVATE, .kind = CONFIG_BOOL, .services = ON_RUN, SAME("false"),                                       \
      .help = "Refuse HTTP requests of nodes to this machine, private networks and other addresses that are not "      \
              "public, whatever name or redirect leads there.")                                                        \
    X(COMMAND_NODE_ENABLED, .kind = CONFIG_BOOL, .services = ON_RUN, SAME("false"),                                    \
      .help = "Let flows run programs on the worker's machine with the node type command. Whoever may edit flows can "  \
              "then do there what the worker can.")                                                                    \
    X(COMMAND_NODE_ENVIRONMENT, .kind = CONFIG_LIST, .services = ON_RUN, SAME("PATH,LANG,TZ"),                         \
      .help = "Environment variables that programs of the node type command get from the worker.")                     \
    X(METRICS_ENABLED, .kind = CONFIG_BOOL, .services = ON_ALL, SAME("true"),                                          \
      .help = "Serve Prometheus metrics on METRICS_PORT.")                                                             \
    X(METRICS_PORT, .kind = CONFIG_INT, .services = ON_ALL, RANGE(0, 65535), EACH("9090", "9091", "9092", "9090"),     \
      .help = "TCP port of /metrics; 0 lets the system choose.")                                                       \
    X(HEALTH_CHECK_PORT, .kind = CONFIG_INT, .services = ON_ORCHESTRATOR, RANGE(0, 65535), SAME("8080"),               \
      .help = "TCP port of the orchestrator's health routes, which PORT serves too; 0 lets the system choose.")        \
    X(LOG_LEVEL, .kind = CONFIG_ENUM, .services = ON_ALL, VALUES("debug", "info", "warn", "error"), SAME("info"),      \
      .help = "Least important level that is logged.")                                                                 \
    X(LOG_FORMAT, .kind = CONFIG_ENUM, .services = ON_ALL, VALUES("json", "text"),                                     \
      EACH("json", "json", "json", "text"), .help = "Lines of JSON for machines, or text for people.")
// clang-format on
