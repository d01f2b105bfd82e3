// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/rcupdate.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "unpatched.h"

/*
 * Takes a killed entity off the fence that its next job depended on, or waits
 * for the callback that does so itself. drm_sched_entity_fini() only gets that
 * right if the callback does not run meanwhile.
 */
void rgt_drm_sched_entity_forget_dependency(struct drm_sched_entity *entity)
{
	struct dma_fence *fence;

	rcu_read_lock();
	fence = READ_ONCE(entity->dependency);
	if (fence)
		fence = dma_fence_get_rcu(fence);
	rcu_read_unlock();
	if (!fence)
		return;

	/* This takes the lock that callbacks run under. */
	if (dma_fence_remove_callback(fence, &entity->cb)) {
		entity->dependency = NULL;
		dma_fence_put(fence);
	}
	dma_fence_put(fence);
}

/*
 * A killed job has ended, in work of its own on a queue of the system's: goes on
 * with @func on the scheduler's queue. drm_sched does not use the work again.
 */
void rgt_drm_sched_job_requeue(struct drm_sched_job *job, work_func_t func)
{
	INIT_WORK(&job->work, func);
	queue_work(job->sched->submit_wq, &job->work);
}

/*
 * Charges the memory of a job's dependencies to the cgroup of who adds them.
 * drm_sched_job_init() has no flag for that. The job has none yet.
 */
void rgt_drm_sched_job_account(struct drm_sched_job *job)
{
	xa_init_flags(&job->dependencies, XA_FLAGS_ALLOC | XA_FLAGS_ACCOUNT);
}
