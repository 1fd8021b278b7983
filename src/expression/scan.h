/* Finding one's way in JavaScript source without understanding it. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* The place of the }} that ends an expression which starts at text[0]; `len` when there is none. */
size_t scan_expression(const char *text, size_t len);

bool scan_is_blank(char c);
/* Bytes of the identifier at text[0]; 0: none. Letters are those of ASCII and of the Latin blocks up to U+024F. */
size_t scan_identifier(const char *text, size_t len);
