// SPDX-License-Identifier: GPL-2.0 OR MIT

#include "helpers.h"

int rgt_ttm_bo_reserve(struct ttm_buffer_object *bo, bool interruptible,
		       bool no_wait)
{
	return ttm_bo_reserve(bo, interruptible, no_wait, NULL);
}

void rgt_ttm_bo_unreserve(struct ttm_buffer_object *bo)
{
	ttm_bo_unreserve(bo);
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

bool rgt_ttm_tt_is_populated(struct ttm_tt *tt)
{
	return ttm_tt_is_populated(tt);
}

void rgt_ttm_resource_manager_cleanup(struct ttm_resource_manager *man)
{
	ttm_resource_manager_cleanup(man);
}

void rgt_ttm_bo_move_to_lru_tail(struct ttm_buffer_object *bo)
{
	ttm_bo_move_to_lru_tail_unlocked(bo);
}

/* Waits until the destruction of BOs that is under way is done. */
void rgt_ttm_device_drain(struct ttm_device *bdev)
{
	drain_workqueue(bdev->wq);
}
