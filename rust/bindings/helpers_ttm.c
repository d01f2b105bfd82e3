// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <drm/drm_print.h>

#include "helpers.h"

int rgt_ttm_bo_reserve(struct ttm_buffer_object *bo, bool interruptible,
		       bool no_wait)
{
	return ttm_bo_reserve(bo, interruptible, no_wait, NULL);
}

/*
 * Unlike ttm_bo_unreserve() this leaves the BO where it is on its list: who
 * looks at a BO does not use it.
 */
void rgt_ttm_bo_unreserve(struct ttm_buffer_object *bo)
{
	dma_resv_unlock(bo->base.resv);
}

void rgt_ttm_bo_move_null(struct ttm_buffer_object *bo,
			  struct ttm_resource *new_mem)
{
	ttm_bo_move_null(bo, new_mem);
}

void rgt_ttm_bo_move_sync_cleanup(struct ttm_buffer_object *bo,
				  struct ttm_resource *new_mem)
{
	ttm_bo_move_sync_cleanup(bo, new_mem);
}

void rgt_ttm_resource_manager_set_used(struct ttm_resource_manager *man,
				       bool used)
{
	ttm_resource_manager_set_used(man, used);
}

void rgt_drm_dmem_unregister(struct dmem_cgroup_region *region)
{
	dmem_cgroup_unregister_region(region);
}

void rgt_ttm_resource_manager_cleanup(struct ttm_resource_manager *man)
{
	ttm_resource_manager_cleanup(man);
}

bool rgt_ttm_resource_manager_is_evicting(struct ttm_resource_manager *man)
{
	bool evicting = false;
	int i;

	spin_lock(&man->eviction_lock);
	for (i = 0; i < TTM_NUM_MOVE_FENCES; i++) {
		struct dma_fence *fence = man->eviction_fences[i];

		evicting |= fence && !dma_fence_is_signaled(fence);
	}
	spin_unlock(&man->eviction_lock);

	return evicting;
}

/* The printer, of which the kernel's bindings have no more than the name. */
void rgt_ttm_resource_manager_show(struct ttm_resource_manager *man,
				   struct seq_file *m)
{
	struct drm_printer p = drm_seq_file_printer(m);

	ttm_resource_manager_debug(man, &p);
}

void rgt_ttm_bo_move_to_lru_tail(struct ttm_buffer_object *bo)
{
	ttm_bo_move_to_lru_tail_unlocked(bo);
}

void rgt_ttm_lru_lock(struct ttm_device *bdev)
{
	spin_lock(&bdev->lru_lock);
}

void rgt_ttm_lru_unlock(struct ttm_device *bdev)
{
	spin_unlock(&bdev->lru_lock);
}

/*
 * Waits until the destruction of BOs that is under way is done. None may be
 * started meanwhile.
 */
void rgt_ttm_device_drain(struct ttm_device *bdev)
{
	drain_workqueue(bdev->wq);
}

/* Waits until the destruction of BOs that is under way is done. */
void rgt_ttm_device_flush(struct ttm_device *bdev)
{
	flush_workqueue(bdev->wq);
}
