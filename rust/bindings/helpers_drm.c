// SPDX-License-Identifier: GPL-2.0 OR MIT

#include "helpers.h"

#include <linux/seq_file.h>

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

void rgt_drm_debugfs_add_file(struct drm_device *dev, const char *name,
			      int (*show)(struct seq_file *m, void *unused))
{
	drm_debugfs_add_file(dev, name, show, NULL);
}

/* The device of a file that rgt_drm_debugfs_add_file() made. */
struct drm_device *rgt_drm_debugfs_device(struct seq_file *m)
{
	struct drm_debugfs_entry *entry = m->private;

	return entry->dev;
}

/*
 * Returns a reference to the object of the first handle from *handle on, and
 * the handle; NULL when there is none.
 */
struct drm_gem_object *rgt_drm_file_next_object(struct drm_file *file,
						int *handle)
{
	struct drm_gem_object *obj;

	spin_lock(&file->table_lock);
	/* The handle has a reference while it is in there. */
	obj = idr_get_next(&file->object_idr, handle);
	if (obj)
		drm_gem_object_get(obj);
	spin_unlock(&file->table_lock);

	return obj;
}

bool rgt_drm_gem_object_is_shared(struct drm_gem_object *obj)
{
	return drm_gem_object_is_shared_for_memory_stats(obj);
}

bool rgt_drm_gem_object_get_unless_zero(struct drm_gem_object *obj)
{
	return kref_get_unless_zero(&obj->refcount);
}

void rgt_list_del(struct list_head *entry)
{
	list_del(entry);
}
