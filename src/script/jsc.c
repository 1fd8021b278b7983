/* Loads the library. */
#include "script/jsc.h"

#include <dlfcn.h>
#include <string.h>

#define LIBRARY "libjavascriptcoregtk-4.1.so.0"

enum err jsc_load(struct jsc *ret, struct error *reterr)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return error_set(reterr, ERR_UNSUPPORTED, NULL,
                         "JavaScript needs the package libjavascriptcoregtk-4.1-0, which is not installed.");
#define X(name)                                                                                                        \
    {                                                                                                                  \
        void *symbol = dlsym(library, #name);                                                                          \
        if (symbol == NULL)                                                                                            \
            return error_set(reterr, ERR_UNSUPPORTED, NULL, "%s has no %s.", LIBRARY, #name);                          \
        memcpy(&ret->name, &symbol, sizeof symbol);                                                                    \
    }
    JSC_FUNCTIONS(X)
#undef X
    return ERR_OK;
}
