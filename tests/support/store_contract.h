/* The store's contract as a suite of tests: what every back end must do, through store.h alone. */
#pragma once
#include <stdbool.h>

struct store_contract {
    const char *name;
    const char *url;
    bool manual;  /* run the verbs in manual mode */
    bool lasting; /* what is stored outlives store_close */
    void (*reset)(
        const char *url); /* leaves nothing behind that URL; called with the store closed, before and after each test */
};

/* Runs every test against that back end as one cmocka group. Returns how many failed. */
int store_contract_run(const struct store_contract *contract);
