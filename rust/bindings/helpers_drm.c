// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <drm/drm_device.h>
#include <drm/drm_file.h>

#include "helpers.h"

bool rgt_drm_exec_is_contended(struct drm_exec *exec)
{
	return drm_exec_is_contended(exec);
}

void rgt_drm_debugfs_add_file(struct drm_device *dev, const char *name,
			      int (*show)(struct seq_file *m, void *unused))
{
	drm_debugfs_add_file(dev, name, show, NULL);
}

bool rgt_drm_gem_object_is_shared(struct drm_gem_object *obj)
{
	return drm_gem_object_is_shared_for_memory_stats(obj);
}

bool rgt_drm_dev_get_unless_zero(struct drm_device *dev)
{
	return kref_get_unless_zero(&dev->ref);
}

/* Gives a reference back unless it is the last. */
bool rgt_drm_dev_put_unless_last(struct drm_device *dev)
{
	return refcount_dec_not_one(&dev->ref.refcount);
}

bool rgt_drm_gem_object_get_unless_zero(struct drm_gem_object *obj)
{
	return kref_get_unless_zero(&obj->refcount);
}

void rgt_list_del(struct list_head *entry)
{
	list_del(entry);
}

void rgt_list_del_init(struct list_head *entry)
{
	list_del_init(entry);
}

void rgt_drm_gpuvm_bo_get(struct drm_gpuvm_bo *vm_bo)
{
	drm_gpuvm_bo_get(vm_bo);
}

bool rgt_drm_gpuvm_bo_get_unless_zero(struct drm_gpuvm_bo *vm_bo)
{
	return kref_get_unless_zero(&vm_bo->kref);
}

void rgt_drm_gpusvm_init_pages(struct drm_gpusvm_pages *pages,
			       struct drm_device *dev)
{
	drm_gpusvm_init_pages(pages, dev);
}
