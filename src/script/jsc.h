/* JavaScriptCore, loaded when a runner needs it: other processes of this program neither map nor initialise it. */
#pragma once
#include "base/error.h"
#include <JavaScriptCore/JavaScript.h>

#define JSC_FUNCTIONS(X)                                                                                               \
    X(JSCheckScriptSyntax)                                                                                             \
    X(JSContextGroupCreate)                                                                                            \
    X(JSGlobalContextCreateInGroup)                                                                                    \
    X(JSGlobalContextRelease)                                                                                          \
    X(JSContextGetGlobalObject)                                                                                        \
    X(JSEvaluateScript)                                                                                                \
    X(JSObjectCallAsFunction)                                                                                          \
    X(JSObjectGetProperty)                                                                                             \
    X(JSObjectMakeFunctionWithCallback)                                                                                \
    X(JSStringCreateWithUTF8CString)                                                                                   \
    X(JSStringGetMaximumUTF8CStringSize)                                                                               \
    X(JSStringGetUTF8CString)                                                                                          \
    X(JSStringRelease)                                                                                                 \
    X(JSValueIsUndefined)                                                                                              \
    X(JSValueMakeNumber)                                                                                               \
    X(JSValueMakeString)                                                                                               \
    X(JSValueMakeUndefined)                                                                                            \
    X(JSValueToNumber)                                                                                                 \
    X(JSValueProtect)                                                                                                  \
    X(JSValueToObject)                                                                                                 \
    X(JSValueToStringCopy)

struct jsc {
#define X(name) __typeof__(name) *name;
    JSC_FUNCTIONS(X)
#undef X
};

/* For the life of the process. ERR_UNSUPPORTED: the library is not installed. */
enum err jsc_load(struct jsc *ret, struct error *reterr) ERROR_MUST_CHECK;
