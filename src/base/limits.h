/* The bounds of everything that comes from outside. */
#pragma once

#define LIMIT_BODY_BYTES (8 << 20)    /* an HTTP request body */
#define LIMIT_CONNECTIONS 10000u      /* of HTTP, open at once on a port; more wait */
#define LIMIT_HEADER_BYTES (32 << 10) /* a request's line and headers */
#define LIMIT_JSON_DEPTH 64           /* nesting of a JSON document */
#define LIMIT_FLOW_NODES 2000         /* nodes of one flow */
#define LIMIT_FLOW_CONNECTIONS 10000  /* connections of one flow */
#define LIMIT_FLOW_NOTES 200          /* notes on the canvas of one flow */
#define LIMIT_NOTE_CHARS 5000         /* of one note */
#define LIMIT_NODE_ID_BYTES 64
#define LIMIT_LOOP_ITERATIONS 1000     /* passes of a loop, default */
#define LIMIT_FOR_EACH_DEPTH 4         /* for-each nodes inside each other */
#define LIMIT_FOR_EACH_ITEMS 100000    /* items of one for-each */
#define LIMIT_FOR_EACH_CONCURRENCY 100 /* iterations of one for-each at once */
#define LIMIT_SUB_FLOW_DEPTH 16        /* executions that started each other as sub-flows */
#define LIMIT_HISTORY_ITERATIONS 100   /* iterations of a node that its history keeps in full; the rest is counted */
#define LIMIT_SIGNALS 1000             /* signals of one execution that no node has taken yet */
#define LIMIT_FLOW_SECRETS 50          /* secrets that one flow uses */
#define LIMIT_NAME_CHARS 100
#define LIMIT_DESCRIPTION_CHARS 500
#define LIMIT_OUTPUT_BYTES (64 << 20)    /* all outputs of one run, default */
#define LIMIT_RUN_STEPS 100000           /* node attempts of one run, default */
#define LIMIT_NODE_TIMEOUT_MS 300000     /* one attempt of a node, default (api-contract 5.4) */
#define LIMIT_MESSAGE_BYTES (64 << 20)   /* a broker message */
#define LIMIT_BATCH 256                  /* entries of one broker message, rows of one store batch */
#define LIMIT_PAGE_FILE_BYTES (16 << 20) /* a file of the page */
#define LIMIT_WS_FRAME_BYTES (64 << 10)  /* a WebSocket message, all its frames together */
#define LIMIT_WS_CONNECTIONS 1000
#define LIMIT_WS_SUBSCRIPTIONS 100  /* executions that one connection follows */
#define LIMIT_WS_QUEUE_MESSAGES 256 /* not yet taken by a slow reader, who is then dropped */
#define LIMIT_WS_QUEUE_BYTES (1 << 20)
#define LIMIT_LOG_LINES 1000                 /* log lines kept of one execution */
#define PARK_AFTER_MS 5000                   /* a wait longer than this leaves the worker (design 2) */
#define LIMIT_EXPRESSION_BYTES (16 << 10)    /* the source of one {{ expression }} */
#define LIMIT_NODE_EXPRESSIONS 1000          /* expressions in the configuration of one node */
#define LIMIT_CODE_BYTES (256 << 10)         /* the source of a code node */
#define LIMIT_SCRIPT_INPUT_BYTES (32 << 20)  /* what one call sends to a JavaScript runner */
#define LIMIT_SCRIPT_OUTPUT_BYTES (16 << 20) /* what one call gets back */
#define LIMIT_SCRIPT_QUEUE 20000             /* calls that wait for a runner */
