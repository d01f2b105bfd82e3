// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/cc_platform.h>
#include <linux/hmm.h>
#include <linux/io.h>
#include <linux/iosys-map.h>
#include <linux/magic.h>
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

/*
 * vma_is_secretmem() is not for modules, and hmm_range_fault() gives pages of
 * such memory.
 */
bool rgt_vma_is_secretmem(const struct vm_area_struct *vma)
{
	return vma->vm_file &&
	       file_inode(vma->vm_file)->i_sb->s_magic == SECRETMEM_MAGIC;
}

/*
 * drm_gpusvm_get_pages() leaves pages clean that a device may write from then
 * on. As when page tables are zapped, they are mapped meanwhile. Those of files
 * are writable since page_mkwrite(), so that file systems allocate nothing.
 */
void rgt_hmm_pfns_mark_dirty(const unsigned long *pfns, unsigned long count)
{
	struct folio *folio, *last = NULL;
	unsigned long i;

	for (i = 0; i < count; i++) {
		if (!(pfns[i] & HMM_PFN_WRITE))
			continue;
		folio = page_folio(hmm_pfn_to_page(pfns[i]));
		if (folio != last)
			folio_mark_dirty(folio);
		last = folio;
	}
}
