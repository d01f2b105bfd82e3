// SPDX-License-Identifier: GPL-2.0 OR MIT

#define CREATE_TRACE_POINTS
#define CREATE_RUST_TRACE_POINTS
#include "rgt_trace.h"
