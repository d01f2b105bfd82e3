// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/io.h>
#include <linux/mm.h>

#include "helpers.h"

unsigned long rgt_totalram_pages(void)
{
	return totalram_pages();
}

int rgt_arch_io_reserve_memtype_wc(resource_size_t start, resource_size_t size)
{
	return arch_io_reserve_memtype_wc(start, size);
}

void rgt_arch_io_free_memtype_wc(resource_size_t start, resource_size_t size)
{
	arch_io_free_memtype_wc(start, size);
}
