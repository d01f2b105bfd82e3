// SPDX-License-Identifier: GPL-2.0 OR MIT

#include "helpers.h"

void rgt_drm_exec_init(struct drm_exec *exec, bool interruptible,
		       bool ignore_duplicates, unsigned int nr)
{
	u32 flags = 0;

	if (interruptible)
		flags |= DRM_EXEC_INTERRUPTIBLE_WAIT;
	if (ignore_duplicates)
		flags |= DRM_EXEC_IGNORE_DUPLICATES;
	drm_exec_init(exec, flags, nr);
}

bool rgt_drm_exec_is_contended(struct drm_exec *exec)
{
	return drm_exec_is_contended(exec);
}

struct drm_gem_object *rgt_drm_exec_obj(struct drm_exec *exec,
					unsigned long index)
{
	return drm_exec_obj(exec, index);
}
