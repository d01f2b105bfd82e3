// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/io.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/shrinker.h>

#include "helpers.h"

unsigned long rgt_totalram_pages(void)
{
	return totalram_pages();
}

long rgt_si_mem_available(void)
{
	return si_mem_available();
}

int rgt_arch_io_reserve_memtype_wc(resource_size_t start, resource_size_t size)
{
	return arch_io_reserve_memtype_wc(start, size);
}

void rgt_arch_io_free_memtype_wc(resource_size_t start, resource_size_t size)
{
	arch_io_free_memtype_wc(start, size);
}

void rgt_iosys_map_read(void *dst, const struct iosys_map *map, size_t offset,
			size_t len)
{
	iosys_map_memcpy_from(dst, map, offset, len);
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

bool rgt_mmu_notifier_range_blockable(const struct mmu_notifier_range *range)
{
	return mmu_notifier_range_blockable(range);
}

void rgt_mmu_interval_set_seq(struct mmu_interval_notifier *notifier,
			      unsigned long seq)
{
	mmu_interval_set_seq(notifier, seq);
}

bool rgt_mmu_interval_read_retry(struct mmu_interval_notifier *notifier,
				 unsigned long seq)
{
	return mmu_interval_read_retry(notifier, seq);
}
