// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/cc_platform.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/swiotlb.h>
#include <xen/xen.h>

#include "helpers.h"

unsigned long rgt_totalram_pages(void)
{
	return totalram_pages();
}

/* Whether any page, wherever it is, may be bounced. */
bool rgt_dma_is_bounced(struct device *dev)
{
	return is_swiotlb_force_bounce(dev) ||
	       cc_platform_has(CC_ATTR_MEM_ENCRYPT) || xen_pv_domain();
}

int rgt_arch_io_reserve_memtype_wc(resource_size_t start, resource_size_t size)
{
	return arch_io_reserve_memtype_wc(start, size);
}

void rgt_arch_io_free_memtype_wc(resource_size_t start, resource_size_t size)
{
	arch_io_free_memtype_wc(start, size);
}
