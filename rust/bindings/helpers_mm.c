// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/cc_platform.h>
#include <linux/io.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/shrinker.h>
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

void rgt_iosys_map_read(void *dst, const struct iosys_map *map, size_t offset,
			size_t len)
{
	iosys_map_memcpy_from(dst, map, offset, len);
}

void rgt_iosys_map_write(const struct iosys_map *map, size_t offset,
			 const void *src, size_t len)
{
	struct iosys_map dst = *map;

	iosys_map_memcpy_to(&dst, offset, src, len);
	/* The device must see it before a doorbell. */
	wmb();
}

void rgt_iosys_map_zero_page(struct iosys_map *map)
{
	iosys_map_memset(map, 0, 0, PAGE_SIZE);
}

bool rgt_shrink_control_may_enter_fs(struct shrink_control *control)
{
	return control->gfp_mask & __GFP_FS;
}

bool rgt_shrink_control_may_start_io(struct shrink_control *control)
{
	return control->gfp_mask & __GFP_IO;
}
