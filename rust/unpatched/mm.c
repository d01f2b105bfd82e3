// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/cc_platform.h>
#include <linux/io.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/swiotlb.h>
#include <xen/xen.h>

#include "unpatched.h"

/* Whether any page, wherever it is, may be bounced. */
bool rgt_dma_is_bounced(struct device *dev)
{
	return is_swiotlb_force_bounce(dev) ||
	       cc_platform_has(CC_ATTR_MEM_ENCRYPT) || xen_pv_domain();
}

/*
 * Writes of 64 bits make the most of mappings that gather them, while
 * memset_io() is whatever the CPU does best in ordinary memory.
 */
void rgt_iomem_zero_page(void *addr)
{
	__iowrite64_copy((void __iomem *)addr, page_address(ZERO_PAGE(0)),
			 PAGE_SIZE / sizeof(u64));
	/* The device must see it before a doorbell. */
	wmb();
}

void rgt_iosys_map_write(const struct iosys_map *map, size_t offset,
			 const void *src, size_t len)
{
	struct iosys_map dst = *map;

	iosys_map_memcpy_to(&dst, offset, src, len);
	/* The device must see it before a doorbell. */
	wmb();
}
