/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What bindgen reads. Kbuild picks the names that the kernel crate's own
 * bindings lack; every other type comes from there.
 */
#include <drm/drm_cache.h>
#include <drm/drm_device.h>
#include <drm/drm_exec.h>
#include <drm/drm_gem_ttm_helper.h>
#include <drm/drm_gpusvm.h>
#include <drm/drm_pagemap.h>
#include <drm/drm_managed.h>
#include <drm/drm_prime.h>
#include <drm/drm_print.h>
#include <drm/drm_syncobj.h>
#include <drm/drm_utils.h>
#include <drm/gpu_scheduler.h>
#include <drm/ttm/ttm_backup.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_device.h>
#include <drm/ttm/ttm_placement.h>
#include <drm/ttm/ttm_resource.h>
#include <drm/ttm/ttm_tt.h>
#include <linux/capability.h>
#include <linux/cgroup_dmem.h>
#include <linux/devcoredump.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-mapping.h>
#include <linux/dma-fence-chain.h>
#include <linux/dma-fence-unwrap.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/hmm.h>
#include <linux/kthread.h>
#include <linux/mmu_notifier.h>
#include <linux/pgtable.h>
#include <linux/shrinker.h>
#include <linux/sync_file.h>
#include <drm/rust_gpu_ttm_drm.h>

#include "../unpatched/unpatched.h"
#include "helpers.h"
#include "rgt_trace.h"

/* Macros of the uAPI that bindgen cannot evaluate. */
const __u32 RGT_IOCTL_GEM_CREATE = DRM_IOCTL_RGT_GEM_CREATE;
const __u32 RGT_IOCTL_GEM_WAIT = DRM_IOCTL_RGT_GEM_WAIT;
const __u32 RGT_IOCTL_VM_BIND = DRM_IOCTL_RGT_VM_BIND;
const __u32 RGT_IOCTL_CS = DRM_IOCTL_RGT_CS;
const __u32 RGT_IOCTL_GEM_FLINK = DRM_IOCTL_GEM_FLINK;
const __u32 RGT_IOCTL_GEM_OPEN = DRM_IOCTL_GEM_OPEN;

/* As above, of drm/drm_exec.h. */
const __u32 RGT_EXEC_INTERRUPTIBLE_WAIT = DRM_EXEC_INTERRUPTIBLE_WAIT;
const __u32 RGT_EXEC_IGNORE_DUPLICATES = DRM_EXEC_IGNORE_DUPLICATES;

/* As above, of drm/drm_device.h. */
const unsigned long RGT_WEDGE_RECOVERY_NONE = DRM_WEDGE_RECOVERY_NONE;
const unsigned long RGT_WEDGE_RECOVERY_REBIND = DRM_WEDGE_RECOVERY_REBIND;
const unsigned long RGT_WEDGE_RECOVERY_BUS_RESET = DRM_WEDGE_RECOVERY_BUS_RESET;

/* As above, of linux/pgtable.h. */
const unsigned long RGT_PMD_SIZE = PMD_SIZE;
