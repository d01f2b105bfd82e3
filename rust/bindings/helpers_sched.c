// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/sched.h>

#include "helpers.h"

/* The scheduler must be stopped. */
void rgt_drm_sched_visit_pending_jobs(struct drm_gpu_scheduler *sched,
				      void (*f)(struct drm_sched_job *job))
{
	struct drm_sched_job *job;

	drm_sched_for_each_pending_job(job, sched, NULL)
		f(job);
}

struct drm_sched_job *rgt_drm_sched_job_of_work(struct work_struct *work)
{
	return container_of(work, struct drm_sched_job, work);
}

long rgt_drm_sched_entity_flush(struct drm_sched_entity *entity, long timeout)
{
	return drm_sched_entity_flush(entity, timeout);
}

/*
 * Waits until the hardware has all jobs of an entity, for @timeout at most.
 * Returns how much of that is left. For tasks that exit: nothing ends it.
 */
long rgt_drm_sched_entity_wait(struct drm_sched_entity *entity, long timeout)
{
	return wait_event_timeout(entity->rq->sched->job_scheduled,
				  !spsc_queue_count(&entity->job_queue),
				  timeout);
}

bool rgt_current_is_exiting(void)
{
	return current->flags & PF_EXITING;
}

bool rgt_current_is_kernel_thread(void)
{
	return current->flags & PF_KTHREAD;
}

void rgt_drm_sched_fence_dont_pipeline(struct drm_sched_fence *fence)
{
	set_bit(DRM_SCHED_FENCE_DONT_PIPELINE, &fence->finished.flags);
}
