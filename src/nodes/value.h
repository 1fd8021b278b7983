/* JavaScript's view of JSON values, for the node types. */
#pragma once
#include "json/value.h"
