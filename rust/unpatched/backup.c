// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <drm/ttm/ttm_allocation.h>
#include <drm/ttm/ttm_backup.h>
#include <drm/ttm/ttm_pool.h>
#include <linux/dma-mapping.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>
#include <linux/sizes.h>

#include "unpatched.h"

/*
 * The pages are from TTM's pool, but TTM itself is not to swap them out: they
 * are backed up by rgt_ttm_bo_back_up(). For ttm_tt_init() this would mean to
 * make no array of pages, so it comes after.
 */
void rgt_ttm_tt_set_own_backup(struct ttm_tt *tt)
{
	if (!(tt->page_flags & TTM_TT_FLAG_EXTERNAL))
		tt->page_flags |= TTM_TT_FLAG_EXTERNAL |
				  TTM_TT_FLAG_EXTERNAL_MAPPABLE;
}

/* Whether the pages are an exporter's. */
bool rgt_ttm_tt_is_imported(struct ttm_tt *tt)
{
	return (tt->page_flags & TTM_TT_FLAG_EXTERNAL) &&
	       !(tt->page_flags & TTM_TT_FLAG_EXTERNAL_MAPPABLE);
}

/* The most memory that a BO leaves to others, in pages: 8 MiB. */
#define RGT_RESERVE_PAGES (SZ_8M >> PAGE_SHIFT)

/* What it leaves for each of its own: small ones still find pages then. */
#define RGT_RESERVE_FACTOR 4

/*
 * The order of what it holds: blocks of up to PAGE_ALLOC_COSTLY_ORDER would go to
 * a list of the CPU when they are released, which watermarks do not count.
 */
#define RGT_RESERVE_ORDER (PAGE_ALLOC_COSTLY_ORDER + 1)

static void rgt_release_reserve(struct list_head *reserve)
{
	struct page *page, *next;
	unsigned int order;

	list_for_each_entry_safe(page, next, reserve, lru) {
		order = page_private(page);
		set_page_private(page, 0);
		__free_pages(page, order);
	}
}

static struct page *rgt_alloc_reserve(void)
{
	const gfp_t gfp = GFP_KERNEL | __GFP_NOWARN;
	unsigned int order = RGT_RESERVE_ORDER;
	struct page *page;

	page = alloc_pages(gfp | __GFP_NORETRY, order);
	if (!page) {
		order = 0;
		page = alloc_page(gfp | __GFP_RETRY_MAYFAIL);
	}
	if (page)
		set_page_private(page, order);
	return page;
}

/*
 * Keeps memory from the pool, which takes the last page without calling the OOM
 * killer: who then needs one for anything else would call it, from within an
 * eviction for example. Reclaims for it as the pool does. -ENOMEM when there is
 * not so much. Does nothing while memory is plenty.
 */
static int rgt_hold_reserve(struct list_head *reserve, unsigned long pages)
{
	unsigned long count, i;
	struct page *page;

	if (si_mem_available() >= (long)(pages + 4 * RGT_RESERVE_PAGES))
		return 0;
	count = min(pages * RGT_RESERVE_FACTOR, RGT_RESERVE_PAGES);
	for (i = 0; i < count; i += 1UL << page_private(page)) {
		page = rgt_alloc_reserve();
		if (!page) {
			rgt_release_reserve(reserve);
			return -ENOMEM;
		}
		list_add(&page->lru, reserve);
	}
	return 0;
}

int rgt_ttm_tt_populate(struct ttm_device *bdev, struct ttm_tt *tt,
			struct ttm_operation_ctx *ctx)
{
	LIST_HEAD(reserve);
	int ret;

	if (rgt_ttm_tt_is_imported(tt))
		return 0;
	ret = rgt_hold_reserve(&reserve, tt->num_pages);
	if (ret)
		return ret;
	if (ttm_tt_is_backed_up(tt))
		ret = ttm_tt_restore(bdev, tt, ctx);
	else
		ret = ttm_pool_alloc(&bdev->pool, tt, ctx);
	rgt_release_reserve(&reserve);
	return ret;
}

void rgt_ttm_tt_unpopulate(struct ttm_device *bdev, struct ttm_tt *tt)
{
	if (!rgt_ttm_tt_is_imported(tt))
		ttm_pool_free(&bdev->pool, tt);
}

/*
 * Unmaps the pages of a pinned BO from a device that does no DMA any more.
 * They stay for those who pinned them, and the pool, which frees them, is told
 * that there is nothing to unmap. Coherent memory cannot be parted from its
 * device, but is not shared either.
 */
void rgt_ttm_bo_unmap_pinned(struct ttm_buffer_object *bo)
{
	struct ttm_pool *pool = &bo->bdev->pool;
	struct ttm_tt *tt = bo->ttm;
	pgoff_t i, nr;

	dma_resv_assert_held(bo->base.resv);

	if (!bo->pin_count || !tt || !ttm_tt_is_populated(tt) ||
	    rgt_ttm_tt_is_imported(tt) || !tt->dma_address ||
	    pool->alloc_flags & TTM_ALLOCATION_POOL_USE_DMA_ALLOC)
		return;

	for (i = 0; i < tt->num_pages; i += nr) {
		/* The pool has the order there. */
		nr = 1UL << page_private(tt->pages[i]);
		dma_unmap_page(pool->dev, tt->dma_address[i],
			       (size_t)nr << PAGE_SHIFT, DMA_BIDIRECTIONAL);
	}
	tt->dma_address = NULL;
}

bool rgt_ttm_bo_is_backed_up(struct ttm_buffer_object *bo)
{
	return bo->ttm && ttm_tt_is_backed_up(bo->ttm);
}

/*
 * Backs a BO up. The file to do it in is made at its first time: most BOs never
 * need it, and what its pages take from the reserves is far more.
 *
 * When TTM cannot back up the very first page it leaves pages behind that are
 * not mapped for DMA any more, but count as if they were. So the page that the
 * first one is copied to is made here and held.
 */
long rgt_ttm_bo_back_up(struct ttm_buffer_object *bo,
			struct ttm_operation_ctx *ctx, bool writeback)
{
	const struct ttm_bo_shrink_flags flags = {
		.writeback = writeback,
		.allow_move = true,
	};
	struct ttm_tt *tt = bo->ttm;
	struct folio *first;
	long ret;

	if (!(tt->page_flags & TTM_TT_FLAG_EXTERNAL_MAPPABLE) ||
	    !ttm_backup_bytes_avail())
		return -EBUSY;

	if (!tt->backup) {
		ret = ttm_tt_setup_backup(tt);
		if (ret)
			return ret;
	}
	first = shmem_read_folio_gfp(tt->backup->f_mapping, 0,
				     GFP_KERNEL | __GFP_HIGH | __GFP_NOWARN |
				     __GFP_RETRY_MAYFAIL);
	if (IS_ERR(first))
		return PTR_ERR(first);

	ret = ttm_bo_shrink(ctx, bo, flags);
	folio_put(first);
	return ret;
}

/*
 * Takes backing and content away. What is backed up goes with its ttm_tt:
 * ttm_bo_pipeline_gutting() would leave it to be restored.
 */
int rgt_ttm_bo_purge(struct ttm_buffer_object *bo,
		     struct ttm_operation_ctx *ctx)
{
	const struct ttm_device_funcs *funcs = bo->bdev->funcs;
	struct ttm_placement nothing = {};
	struct ttm_tt *fresh;
	int ret;

	ret = ttm_bo_wait_ctx(bo, ctx);
	if (ret)
		return ret;

	if (rgt_ttm_bo_is_backed_up(bo)) {
		fresh = funcs->ttm_tt_create(bo, TTM_TT_FLAG_ZERO_ALLOC);
		if (!fresh)
			return -ENOMEM;
		funcs->ttm_tt_destroy(bo->bdev, bo->ttm);
		bo->ttm = fresh;
	}
	ttm_bo_unmap_virtual(bo);
	return ttm_bo_validate(bo, &nothing, ctx);
}

/* As ttm_bo_move_null() of a BO that is idle, but its content is gone. */
void rgt_ttm_bo_move_discard(struct ttm_buffer_object *bo,
			     struct ttm_resource *new_mem)
{
	ttm_bo_move_null(bo, new_mem);
	if (bo->ttm && !ttm_tt_is_populated(bo->ttm))
		ttm_tt_mark_for_clear(bo->ttm);
}
