// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/mm.h>

#include "helpers.h"

unsigned long rgt_totalram_pages(void)
{
	return totalram_pages();
}
