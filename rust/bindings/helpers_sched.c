// SPDX-License-Identifier: GPL-2.0 OR MIT

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

long rgt_drm_sched_entity_flush(struct drm_sched_entity *entity)
{
	return drm_sched_entity_flush(entity, MAX_WAIT_SCHED_ENTITY_Q_EMPTY);
}

void rgt_drm_sched_fence_dont_pipeline(struct drm_sched_fence *fence)
{
	set_bit(DRM_SCHED_FENCE_DONT_PIPELINE, &fence->finished.flags);
}
