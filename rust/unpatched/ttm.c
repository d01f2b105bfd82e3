// SPDX-License-Identifier: GPL-2.0 OR MIT

#include "unpatched.h"

/* To TTM, pages of another device are there before they are mapped. */
bool rgt_ttm_tt_is_populated(struct ttm_tt *tt)
{
	return ttm_tt_is_populated(tt) &&
	       (tt->sg || !rgt_ttm_tt_is_imported(tt));
}

/*
 * As drmm_cgroup_register_region(), for a region that goes before the managed
 * resources of its device do.
 */
struct dmem_cgroup_region *
rgt_drm_dmem_register(struct drm_device *dev, const char *name,
		      const struct dmem_cgroup_init *init)
{
	return dmem_cgroup_register_region(init, "drm/%s/%s", dev->unique,
					   name);
}

/*
 * Returns the pool of the current task's cgroup, which is charged nothing, or
 * NULL.
 */
static struct dmem_cgroup_pool_state *
rgt_dmem_own_pool(struct ttm_resource_manager *man)
{
	struct dmem_cgroup_pool_state *pool;

	if (!man || !man->cg || dmem_cgroup_try_charge(man->cg, 0, &pool, NULL))
		return NULL;
	return pool;
}

static struct ttm_resource_manager *
rgt_ttm_bo_manager(struct ttm_buffer_object *bo)
{
	return ttm_manager_type(bo->bdev, bo->resource->mem_type);
}

/* Whether a reserved BO's memory is charged to the current task's cgroup. */
bool rgt_ttm_bo_is_of_own_cgroup(struct ttm_buffer_object *bo)
{
	struct dmem_cgroup_pool_state *pool;
	bool own;

	pool = rgt_dmem_own_pool(rgt_ttm_bo_manager(bo));
	if (!pool)
		return false;
	own = pool == bo->resource->css;
	dmem_cgroup_uncharge(pool, 0);
	return own;
}

/*
 * Whether the current task's cgroup has less of a type than min protects. TTM
 * evicts for it then without force, and without regard for whose BOs go.
 */
bool rgt_ttm_is_entitled(struct ttm_device *bdev, u32 mem_type)
{
	struct dmem_cgroup_pool_state *pool;
	bool entitled;

	pool = rgt_dmem_own_pool(ttm_manager_type(bdev, mem_type));
	if (!pool)
		return false;
	entitled = dmem_cgroup_below_min(NULL, pool);
	dmem_cgroup_uncharge(pool, 0);
	return entitled;
}

/*
 * Whether a reserved BO's memory is part of what its cgroup is entitled to by
 * min and low, and the current task is of another cgroup. TTM knows that, but
 * ignores low when nothing else can be evicted.
 */
bool rgt_ttm_bo_is_protected(struct ttm_buffer_object *bo)
{
	struct dmem_cgroup_pool_state *theirs = bo->resource->css;
	bool hit_low;

	if (!theirs || rgt_ttm_bo_is_of_own_cgroup(bo))
		return false;

	return !dmem_cgroup_state_evict_valuable(NULL, theirs, false, &hit_low);
}

/* A place in a bulk move is one for each priority. */
void rgt_ttm_bo_set_priority(struct ttm_buffer_object *bo,
			     unsigned int priority)
{
	struct ttm_lru_bulk_move *bulk = bo->bulk_move;

	if (bulk && bo->priority != priority)
		ttm_bo_set_bulk_move(bo, NULL);

	spin_lock(&bo->bdev->lru_lock);
	bo->priority = priority;
	ttm_bo_move_to_lru_tail(bo);
	spin_unlock(&bo->bdev->lru_lock);

	ttm_bo_set_bulk_move(bo, bulk);
}

/*
 * Returns the first BO of a list that is neither being destroyed nor a ghost,
 * or NULL. The lists must be locked.
 */
struct ttm_buffer_object *rgt_ttm_lru_first(struct ttm_device *bdev,
					    u32 mem_type,
					    unsigned int priority)
{
	struct ttm_resource_manager *man = ttm_manager_type(bdev, mem_type);
	struct ttm_lru_item *lru;
	struct ttm_buffer_object *bo;

	lockdep_assert_held(&bdev->lru_lock);

	if (!man)
		return NULL;

	list_for_each_entry(lru, &man->lru[priority], link) {
		if (!ttm_lru_item_is_res(lru))
			continue;
		bo = ttm_lru_item_to_res(lru)->bo;
		if (!bo->deleted && bo->base.dev)
			return bo;
	}

	return NULL;
}

static bool rgt_ttm_manager_is_empty(struct ttm_resource_manager *man)
{
	bool empty = true;
	unsigned int i;

	spin_lock(&man->bdev->lru_lock);
	for (i = 0; i < TTM_MAX_BO_PRIORITY; i++)
		empty &= list_empty(&man->lru[i]);
	spin_unlock(&man->bdev->lru_lock);

	return empty;
}

/*
 * Has a BO without references, which TTM would have to take out of its bulk
 * move, wait in the work that TTM has for when it is released.
 */
void rgt_ttm_bo_release_later(struct ttm_buffer_object *bo, work_func_t func)
{
	INIT_WORK(&bo->delayed_delete, func);
	queue_work(bo->bdev->wq, &bo->delayed_delete);
}

struct ttm_buffer_object *
rgt_ttm_bo_of_delayed_delete(struct work_struct *work)
{
	return container_of(work, struct ttm_buffer_object, delayed_delete);
}

/*
 * Takes the system pages of all BOs away, for a device that does no DMA any
 * more. As ttm_device_clear_dma_mappings(), which neither reserves the BOs nor
 * copes with one that is being released: it spins for that one to leave the
 * list, holding the lock that this takes.
 */
void rgt_ttm_device_purge(struct ttm_device *bdev)
{
	struct ttm_operation_ctx ctx = {};
	struct ttm_placement nothing = {};
	struct ttm_lru_walk_arg arg = { .ctx = &ctx, .sleeping_lock = true };
	struct ttm_bo_lru_cursor cursor;
	struct ttm_resource_manager *man;
	struct ttm_buffer_object *bo;
	unsigned int i;

	for (i = 0; i < TTM_NUM_MEM_TYPES; i++) {
		man = ttm_manager_type(bdev, i);
		if (!man || !man->use_tt)
			continue;

		while (!rgt_ttm_manager_is_empty(man)) {
			/* A ghost goes with its delayed destruction. */
			ttm_bo_lru_for_each_reserved_guarded(&cursor, man, &arg, bo)
				if (!bo->deleted && bo->base.dev)
					ttm_bo_validate(bo, &nothing, &ctx);
			flush_workqueue(bdev->wq);
			cond_resched();
		}
	}
	/* Of BOs on no such list, too: it refers to device and module. */
	flush_workqueue(bdev->wq);
}

/* How many moves out of a memory type are under way. */
unsigned int rgt_ttm_device_eviction_fences(struct ttm_device *bdev,
					    u32 mem_type)
{
	struct ttm_resource_manager *man = ttm_manager_type(bdev, mem_type);
	unsigned int count = 0;
	unsigned int i;

	if (!man)
		return 0;

	spin_lock(&man->eviction_lock);
	for (i = 0; i < TTM_NUM_MOVE_FENCES; i++) {
		struct dma_fence *fence = man->eviction_fences[i];

		count += fence && !dma_fence_is_signaled(fence);
	}
	spin_unlock(&man->eviction_lock);

	return count;
}

int rgt_ttm_device_show_pool(struct ttm_device *bdev, struct seq_file *m)
{
#ifdef CONFIG_DEBUG_FS
	return ttm_pool_debugfs(&bdev->pool, m);
#else
	return -EOPNOTSUPP;
#endif
}
