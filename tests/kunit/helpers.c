// SPDX-License-Identifier: GPL-2.0

#include <kunit/test.h>
#include <linux/sched/mm.h>

#include "helpers.h"

void *rgt_test_expect_warning(struct kunit *test)
{
	/* Jobs are dropped where memory must not be waited for. */
	unsigned int flags = memalloc_noreclaim_save();
	void *handle = kunit_start_suppress_warning(test);

	memalloc_noreclaim_restore(flags);
	return handle;
}

int rgt_test_end_warning(struct kunit *test, void *handle)
{
	int count = kunit_suppressed_warning_count(handle);

	kunit_end_suppress_warning(test, handle);
	return count;
}
