/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _RGT_TEST_PROBE_H_
#define _RGT_TEST_PROBE_H_

#include <linux/types.h>

struct dma_fence;
struct work_struct;

/*
 * From now on @symbol, which is called when @work is about to be cancelled,
 * waits until @work is about to be queued, and that waits until @fence is taken
 * a callback off, which takes a while longer.
 */
int rgt_test_race_begin(const char *symbol, struct work_struct *work,
			struct dma_fence *fence);

/* Whether @symbol was called. */
bool rgt_test_race_has_begun(void);

/* Ends it, and returns whether all of it has happened, in this order. */
bool rgt_test_race_end(void);

#endif
