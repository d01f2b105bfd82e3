/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
#ifndef _UAPI_RUST_GPU_TTM_DRM_H_
#define _UAPI_RUST_GPU_TTM_DRM_H_

#include "drm.h"

#if defined(__cplusplus)
extern "C" {
#endif

/**
 * DOC: uAPI
 *
 * All structures have the same layout for 32 and 64-bit callers. Reserved
 * fields must be 0, undefined flags must not be set, and @extensions is 0 or
 * the address of the first of a chain of &struct drm_rgt_extension; anything
 * else gives EINVAL. A call that fails changes nothing unless it says so.
 *
 * docs/uapi.md describes every call with its errors, and which of them this
 * version of the driver implements; the rest give EOPNOTSUPP.
 */

/**
 * struct drm_rgt_extension - head of an extension
 *
 * No extension is defined yet.
 */
struct drm_rgt_extension {
	/** @next: address of the next extension, or 0 */
	__u64 next;
	/** @name: type of the extension, and so of the fields that follow */
	__u32 name;
	/** @pad: must be 0 */
	__u32 pad;
};

/**
 * struct drm_rgt_array - array of structures
 *
 * Structures grow at their ends in later versions. The kernel takes fields
 * that @stride has no room for as 0, and bytes of an entry that it does not
 * know must be 0.
 */
struct drm_rgt_array {
	/** @stride: bytes from one entry to the next, at most 4096 */
	__u32 stride;
	/** @count: entries; of none, the other fields are not looked at */
	__u32 count;
	/** @address: of the first entry */
	__u64 address;
};

#define DRM_RGT_QUERY			0x00
#define DRM_RGT_GEM_CREATE		0x01
#define DRM_RGT_GEM_MMAP_OFFSET		0x02
#define DRM_RGT_GEM_INFO		0x03
#define DRM_RGT_GEM_WAIT		0x04
#define DRM_RGT_GEM_MADVISE		0x05
#define DRM_RGT_CTX_CREATE		0x06
#define DRM_RGT_CTX_DESTROY		0x07
#define DRM_RGT_CTX_SET_PROPERTY	0x08
#define DRM_RGT_VM_CREATE		0x09
#define DRM_RGT_VM_DESTROY		0x0a
#define DRM_RGT_BIND_QUEUE_CREATE	0x0b
#define DRM_RGT_BIND_QUEUE_DESTROY	0x0c
#define DRM_RGT_VM_BIND			0x0d
#define DRM_RGT_CS			0x0e

/* Memory regions. A placement is a mask of 1 << region. */
#define DRM_RGT_REGION_SYSTEM		0 /* pages that the GPU does not see */
#define DRM_RGT_REGION_GTT		1 /* pages that the GPU sees */
#define DRM_RGT_REGION_VRAM		2 /* device-local memory */
#define DRM_RGT_REGION_SCRATCHPAD	3 /* the GPU's on-chip memory */

#define DRM_RGT_PLACEMENT_SYSTEM	(1 << DRM_RGT_REGION_SYSTEM)
#define DRM_RGT_PLACEMENT_GTT		(1 << DRM_RGT_REGION_GTT)
#define DRM_RGT_PLACEMENT_VRAM		(1 << DRM_RGT_REGION_VRAM)
#define DRM_RGT_PLACEMENT_SCRATCHPAD	(1 << DRM_RGT_REGION_SCRATCHPAD)

#define DRM_RGT_QUERY_DEVICE		0
#define DRM_RGT_QUERY_REGIONS		1
#define DRM_RGT_QUERY_ENGINES		2
#define DRM_RGT_QUERY_CTX		3
#define DRM_RGT_QUERY_TIMESTAMP		4

/**
 * struct drm_rgt_query - query properties of the device
 *
 * The kernel writes the smaller of @size and the answer's size to @data, and
 * the answer's size to @size. With @size 0 it writes nothing, to learn the
 * size. Answers grow at their ends in later versions.
 */
struct drm_rgt_query {
	/** @query: DRM_RGT_QUERY_* */
	__u32 query;
	/**
	 * @arg: a context's number for DRM_RGT_QUERY_CTX, a clock for
	 * DRM_RGT_QUERY_TIMESTAMP, otherwise 0
	 */
	__u32 arg;
	/** @size: in: bytes at @data; out: bytes of the whole answer */
	__u64 size;
	/** @data: address of the answer */
	__u64 data;
	/** @extensions: must be 0 */
	__u64 extensions;
};

/* Jobs can do atomics in VRAM and scratchpad. */
#define DRM_RGT_FEATURE_ATOMICS		(1 << 0)
/* And in system memory: PCI Express routes them from the GPU to the CPU. */
#define DRM_RGT_FEATURE_SYSTEM_ATOMICS	(1 << 1)
/* DRM_RGT_SYNC_USER_FENCE */
#define DRM_RGT_FEATURE_USER_FENCE	(1 << 2)
/* BIND_QUEUE_CREATE, and syncs of VM_BIND */
#define DRM_RGT_FEATURE_BIND_QUEUES	(1 << 3)
/* DRM_RGT_VM_BIND_OP_UNMAP_ALL */
#define DRM_RGT_FEATURE_UNMAP_ALL	(1 << 4)
/* DRM_RGT_VM_BIND_OP_NULL */
#define DRM_RGT_FEATURE_NULL		(1 << 5)
/* DRM_RGT_VM_BIND_OP_PREFETCH */
#define DRM_RGT_FEATURE_PREFETCH	(1 << 6)
/* DRM_RGT_VM_BIND_OP_USERPTR */
#define DRM_RGT_FEATURE_USERPTR		(1 << 7)

/**
 * struct drm_rgt_query_device - answer of DRM_RGT_QUERY_DEVICE
 *
 * A maximum of 0 is none.
 */
struct drm_rgt_query_device {
	/** @revision: the hardware's, major in bits 31:16, minor in 15:0 */
	__u32 revision;
	/** @pci_id: vendor in bits 15:0, device in 31:16 */
	__u32 pci_id;
	/** @va_start: first GPU virtual address that may be bound */
	__u64 va_start;
	/** @va_end: the one after the last */
	__u64 va_end;
	/** @features: mask of DRM_RGT_FEATURE_* */
	__u64 features;
	/** @reset_count: device resets since the GPU was powered on */
	__u64 reset_count;
	/** @vram_generation: how often VRAM has lost its content, plus 1 */
	__u64 vram_generation;
	/** @max_bo_bytes: size of a BO, wherever it is */
	__u64 max_bo_bytes;
	/** @max_vm_bytes: addresses that a VM can have mapped */
	__u64 max_vm_bytes;
	/** @page_size: granularity of sizes, offsets and GPU addresses */
	__u32 page_size;
	/** @max_vms: VMs that all clients together can have, 0 for no limit */
	__u32 max_vms;
	/** @max_contexts: contexts of a client, the default one included */
	__u32 max_contexts;
	/** @max_bind_queues: bind queues of a VM, the default one included */
	__u32 max_bind_queues;
	/** @max_bind_ops: operations in one VM_BIND */
	__u32 max_bind_ops;
	/** @max_ibs: indirect buffers of a job */
	__u32 max_ibs;
	/** @max_ib_dwords: length of an indirect buffer */
	__u32 max_ib_dwords;
	/** @max_bos: entries of a BO list */
	__u32 max_bos;
	/** @max_syncs: entries of a list of syncs */
	__u32 max_syncs;
	/** @pad: 0 */
	__u32 pad;
};

/**
 * struct drm_rgt_query_list - head of the answers that are lists
 */
struct drm_rgt_query_list {
	/** @count: entries that follow */
	__u32 count;
	/** @stride: bytes from one entry to the next */
	__u32 stride;
};

/**
 * struct drm_rgt_region - entry of DRM_RGT_QUERY_REGIONS
 */
struct drm_rgt_region {
	/** @region: DRM_RGT_REGION_* */
	__u32 region;
	/** @min_page_size: granularity of allocation, in bytes */
	__u32 min_page_size;
	/** @size: bytes that the region can hold; 0 for no limit of its own */
	__u64 size;
	/** @used: bytes in use by all clients and the kernel; 0 without CAP_PERFMON */
	__u64 used;
	/** @cpu_visible_size: bytes of @size that the CPU can map */
	__u64 cpu_visible_size;
	/** @cpu_visible_used: bytes of those in use; 0 without CAP_PERFMON */
	__u64 cpu_visible_used;
};

#define DRM_RGT_ENGINE_CLASS_RENDER	0
#define DRM_RGT_ENGINE_CLASS_COPY	1

/**
 * struct drm_rgt_engine - entry of DRM_RGT_QUERY_ENGINES
 */
struct drm_rgt_engine {
	/** @engine: the number that &struct drm_rgt_cs takes */
	__u32 engine;
	/** @engine_class: DRM_RGT_ENGINE_CLASS_* */
	__u32 engine_class;
	/**
	 * @busy_ns: device time that the engine has spent since its reset; 0
	 * without CAP_PERFMON
	 */
	__u64 busy_ns;
};

#define DRM_RGT_CTX_STATUS_OK		0 /* it takes jobs */
#define DRM_RGT_CTX_STATUS_GUILTY	1 /* banned: its job hung or faulted */
#define DRM_RGT_CTX_STATUS_INNOCENT	2 /* banned for no error of its own */

#define DRM_RGT_CAUSE_NONE		0
#define DRM_RGT_CAUSE_HANG		1 /* a job hung */
#define DRM_RGT_CAUSE_FAULT		2 /* a job faulted */
#define DRM_RGT_CAUSE_VRAM_LOST		3 /* VRAM of its jobs was lost */
#define DRM_RGT_CAUSE_DEVICE_LOST	4 /* the GPU is lost */
#define DRM_RGT_CAUSE_BAD_MEMORY	5 /* a job read VRAM that went bad */

#define DRM_RGT_FAULT_READ		0
#define DRM_RGT_FAULT_WRITE		1
#define DRM_RGT_FAULT_FETCH		2

#define DRM_RGT_REASON_NOT_PRESENT	1 /* nothing is mapped there */
#define DRM_RGT_REASON_NOT_WRITABLE	2 /* the mapping is read-only */
#define DRM_RGT_REASON_BAD_ENTRY	3 /* a page table is broken */
#define DRM_RGT_REASON_BAD_ADDRESS	4 /* an entry points to no memory */
#define DRM_RGT_REASON_OUT_OF_RANGE	5 /* no such address */
#define DRM_RGT_REASON_BAD_PACKET	6 /* an invalid packet, or none */
#define DRM_RGT_REASON_MISALIGNED	7 /* an operand is not aligned */
#define DRM_RGT_REASON_NO_ATOMICS	8 /* the memory takes no atomics */
#define DRM_RGT_REASON_POISONED		9 /* the VRAM there is poisoned */

/**
 * struct drm_rgt_query_ctx - answer of DRM_RGT_QUERY_CTX
 *
 * A context whose status is not OK is banned: CS gives ECANCELED, or ENODEV
 * when the GPU is lost. The answer has the values that robustness extensions
 * of graphics interfaces return. @fault_address and the fields after it
 * describe the first fault, for DRM_RGT_CAUSE_FAULT and
 * DRM_RGT_CAUSE_BAD_MEMORY, and are 0 otherwise.
 */
struct drm_rgt_query_ctx {
	/** @status: DRM_RGT_CTX_STATUS_* */
	__u32 status;
	/** @cause: DRM_RGT_CAUSE_* */
	__u32 cause;
	/** @reset_count: resets of engines and device since its creation */
	__u64 reset_count;
	/** @fault_address: GPU virtual address */
	__u64 fault_address;
	/** @fault_access: DRM_RGT_FAULT_* */
	__u32 fault_access;
	/** @fault_engine: the engine */
	__u32 fault_engine;
	/** @fault_reason: DRM_RGT_REASON_* */
	__u32 fault_reason;
	/** @pad: 0 */
	__u32 pad;
};

/**
 * struct drm_rgt_query_timestamp - answer of DRM_RGT_QUERY_TIMESTAMP
 *
 * The GPU's clock and one of the CPU's, read together. The query's @arg is
 * CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME or CLOCK_TAI.
 */
struct drm_rgt_query_timestamp {
	/** @timestamp: the GPU's clock, in ticks since it was powered on */
	__u64 timestamp;
	/** @frequency: ticks a second */
	__u64 frequency;
	/** @cpu_ns: the CPU's clock before @timestamp was read */
	__u64 cpu_ns;
	/** @cpu_delta_ns: how much later it was read at most */
	__u64 cpu_delta_ns;
};

/* The BO's VRAM, or scratchpad, is contiguous. */
#define DRM_RGT_GEM_CONTIGUOUS		(1 << 0)
/* The BO's VRAM is always in the window that the CPU can map. */
#define DRM_RGT_GEM_CPU_ACCESS		(1 << 1)
/* The BO will not be mapped; prefer VRAM outside that window. */
#define DRM_RGT_GEM_NO_CPU_ACCESS	(1 << 2)

#define DRM_RGT_CACHING_CACHED		0
#define DRM_RGT_CACHING_WC		1

#define DRM_RGT_GEM_PRIORITY_NORMAL	0
#define DRM_RGT_GEM_PRIORITY_LOW	1 /* evicted before others */
#define DRM_RGT_GEM_PRIORITY_HIGH	2 /* evicted after others */

/**
 * struct drm_rgt_gem_create - create a buffer object
 *
 * The BO reads as zeros. It gets its backing at its first use.
 */
struct drm_rgt_gem_create {
	/** @size: in: bytes; out: the same, rounded up to whole pages */
	__u64 size;
	/**
	 * @placement: mask of DRM_RGT_PLACEMENT_*, where the BO may be. It is
	 * put in the first that has room of scratchpad, VRAM, GTT, system.
	 */
	__u32 placement;
	/** @preferred: those of @placement that come first; 0 for all */
	__u32 preferred;
	/** @flags: mask of DRM_RGT_GEM_* */
	__u32 flags;
	/** @caching: DRM_RGT_CACHING_*, of mappings of system pages */
	__u32 caching;
	/** @alignment: in VRAM, bytes: 0 or a power of two up to 2 MiB */
	__u32 alignment;
	/** @priority: DRM_RGT_GEM_PRIORITY_* */
	__u32 priority;
	/** @vm_id: 0, or the only VM that the BO can be bound in */
	__u32 vm_id;
	/** @handle: out: the BO's handle, never 0 */
	__u32 handle;
	/** @extensions: must be 0 */
	__u64 extensions;
};

/**
 * struct drm_rgt_gem_mmap_offset - get the offset to mmap() a BO at
 */
struct drm_rgt_gem_mmap_offset {
	/** @handle: the BO's handle */
	__u32 handle;
	/** @flags: must be 0 */
	__u32 flags;
	/** @offset: out: offset in the device file */
	__u64 offset;
	/** @extensions: must be 0 */
	__u64 extensions;
};

/**
 * struct drm_rgt_gem_info - query a BO's properties and its region
 */
struct drm_rgt_gem_info {
	/** @handle: the BO's handle */
	__u32 handle;
	/** @pad: must be 0 */
	__u32 pad;
	/** @size: out: bytes */
	__u64 size;
	/** @placement: out: the mask it was created with */
	__u32 placement;
	/** @preferred: out: the mask it was created with */
	__u32 preferred;
	/** @flags: out: the flags it was created with */
	__u32 flags;
	/** @caching: out: the caching it was created with */
	__u32 caching;
	/** @alignment: out: the alignment it was created with */
	__u32 alignment;
	/** @priority: out: the priority it was created with */
	__u32 priority;
	/** @vm_id: out: the VM it was created for, or 0 */
	__u32 vm_id;
	/** @current_placement: out: 1 << its region, 0 without backing */
	__u32 current_placement;
	/** @extensions: must be 0 */
	__u64 extensions;
};

/* Wait for the jobs that read the BO too, not just for those that write it. */
#define DRM_RGT_GEM_WAIT_READERS	(1 << 0)

/**
 * struct drm_rgt_gem_wait - wait for the jobs that use a BO
 *
 * ETIME when they are not done at the given time.
 */
struct drm_rgt_gem_wait {
	/** @handle: the BO's handle */
	__u32 handle;
	/** @flags: mask of DRM_RGT_GEM_WAIT_* */
	__u32 flags;
	/**
	 * @timeout_ns: CLOCK_MONOTONIC time in nanoseconds; in the past, or
	 * 0, polls
	 */
	__s64 timeout_ns;
	/** @extensions: must be 0 */
	__u64 extensions;
};

#define DRM_RGT_MADVISE_WILLNEED	0
#define DRM_RGT_MADVISE_DONTNEED	1

/**
 * struct drm_rgt_gem_madvise - advise on a BO's content
 *
 * A BO with DONTNEED may be purged and cannot be used: jobs that name it give
 * EFAULT, and access by the CPU SIGBUS. With WILLNEED it can be used again; if
 * it was purged, which @retained reports once, it reads as zeros. DONTNEED for
 * a shared BO gives EBUSY.
 */
struct drm_rgt_gem_madvise {
	/** @handle: the BO's handle */
	__u32 handle;
	/** @advice: DRM_RGT_MADVISE_* */
	__u32 advice;
	/** @retained: out: 0 when the content has been purged */
	__u32 retained;
	/** @pad: must be 0 */
	__u32 pad;
	/** @extensions: must be 0 */
	__u64 extensions;
};

#define DRM_RGT_CTX_PRIORITY_NORMAL	0
#define DRM_RGT_CTX_PRIORITY_LOW	1
#define DRM_RGT_CTX_PRIORITY_HIGH	2

/**
 * struct drm_rgt_ctx_create - create a context
 *
 * Jobs of one context on one engine run in the order of their submission.
 * A high priority without CAP_SYS_NICE gives EACCES.
 */
struct drm_rgt_ctx_create {
	/** @priority: DRM_RGT_CTX_PRIORITY_* */
	__u32 priority;
	/** @flags: must be 0 */
	__u32 flags;
	/** @ctx_id: out: the context's number, never 0 */
	__u32 ctx_id;
	/** @pad: must be 0 */
	__u32 pad;
	/** @extensions: must be 0 */
	__u64 extensions;
};

/**
 * struct drm_rgt_ctx_destroy - destroy a context
 *
 * Jobs that were submitted run to their end.
 */
struct drm_rgt_ctx_destroy {
	/** @ctx_id: the context's number */
	__u32 ctx_id;
	/** @pad: must be 0 */
	__u32 pad;
};

#define DRM_RGT_CTX_PROPERTY_PRIORITY	0 /* DRM_RGT_CTX_PRIORITY_* */

/**
 * struct drm_rgt_ctx_set_property - change a property of a context
 *
 * It applies to jobs that are submitted from then on.
 */
struct drm_rgt_ctx_set_property {
	/** @ctx_id: the context's number */
	__u32 ctx_id;
	/** @property: DRM_RGT_CTX_PROPERTY_* */
	__u32 property;
	/** @value: of the property */
	__u64 value;
	/** @extensions: must be 0 */
	__u64 extensions;
};

/**
 * struct drm_rgt_vm_create - create a GPU address space
 *
 * ENOSPC when all of the device's address spaces are in use.
 */
struct drm_rgt_vm_create {
	/** @flags: must be 0 */
	__u32 flags;
	/** @vm_id: out: the VM's number, never 0 */
	__u32 vm_id;
	/** @extensions: must be 0 */
	__u64 extensions;
};

/**
 * struct drm_rgt_vm_destroy - destroy a VM
 *
 * Jobs that were submitted run to their end.
 */
struct drm_rgt_vm_destroy {
	/** @vm_id: the VM's number */
	__u32 vm_id;
	/** @pad: must be 0 */
	__u32 pad;
};

#define DRM_RGT_SYNC_SYNCOBJ		0 /* a binary syncobj */
#define DRM_RGT_SYNC_TIMELINE		1 /* a point of a timeline syncobj */
#define DRM_RGT_SYNC_USER_FENCE		2 /* a word of memory, to signal only */

/**
 * struct drm_rgt_sync - a fence to wait for or to signal
 *
 * ENOENT for an unknown handle, EINVAL for an in-sync that has no fence yet,
 * or not at its point. A user fence signals by writing @value at @address.
 */
struct drm_rgt_sync {
	/** @type: DRM_RGT_SYNC_* */
	__u32 type;
	/** @flags: must be 0 */
	__u32 flags;
	/** @handle: of the syncobj; 0 for a user fence */
	__u32 handle;
	/** @pad: must be 0 */
	__u32 pad;
	/** @value: point of a timeline; what a user fence writes; otherwise 0 */
	__u64 value;
	/** @address: of a user fence, 8-byte aligned; otherwise 0 */
	__u64 address;
};

/**
 * struct drm_rgt_bind_queue_create - create a bind queue of a VM
 *
 * Calls of VM_BIND on one queue are done in their order. It is destroyed with
 * its VM.
 */
struct drm_rgt_bind_queue_create {
	/** @vm_id: the VM's number */
	__u32 vm_id;
	/** @flags: must be 0 */
	__u32 flags;
	/** @queue_id: out: the queue's number in this VM, never 0 */
	__u32 queue_id;
	/** @pad: must be 0 */
	__u32 pad;
	/** @extensions: must be 0 */
	__u64 extensions;
};

/**
 * struct drm_rgt_bind_queue_destroy - destroy a bind queue
 *
 * Calls of VM_BIND that were made are done to their end.
 */
struct drm_rgt_bind_queue_destroy {
	/** @vm_id: the VM's number */
	__u32 vm_id;
	/** @queue_id: the queue's number */
	__u32 queue_id;
};

/* Map a part of a BO in place of what is mapped at the addresses. */
#define DRM_RGT_VM_BIND_OP_MAP		0
/* Unmap addresses: mappings, parts of them, and holes. */
#define DRM_RGT_VM_BIND_OP_UNMAP	1
/* Unmap a BO wherever the VM maps it. */
#define DRM_RGT_VM_BIND_OP_UNMAP_ALL	2
/* As MAP, but of nothing: reads give 0, and writes are discarded. */
#define DRM_RGT_VM_BIND_OP_NULL		3
/*
 * Move the BOs that are mapped at the addresses, not by queued binds, to a
 * region, and fetch memory of processes there.
 */
#define DRM_RGT_VM_BIND_OP_PREFETCH	4
/* Map memory of the process. */
#define DRM_RGT_VM_BIND_OP_USERPTR	5

/* MAP, USERPTR: the GPU may not write through the mapping. */
#define DRM_RGT_VM_BIND_READONLY	(1 << 0)

/**
 * struct drm_rgt_vm_bind_op - one change of a VM's mappings
 *
 * Fields that an operation does not use must be 0.
 */
struct drm_rgt_vm_bind_op {
	/** @op: DRM_RGT_VM_BIND_OP_* */
	__u32 op;
	/** @flags: mask of DRM_RGT_VM_BIND_* */
	__u32 flags;
	/** @handle: MAP, UNMAP_ALL: the BO */
	__u32 handle;
	/** @region: PREFETCH: DRM_RGT_REGION_* */
	__u32 region;
	/**
	 * @offset: MAP: byte in the BO to start at; USERPTR: address in the
	 * process
	 */
	__u64 offset;
	/** @addr: all but UNMAP_ALL: first GPU virtual address */
	__u64 addr;
	/** @size: all but UNMAP_ALL: bytes */
	__u64 size;
};

/**
 * struct drm_rgt_vm_bind - change a VM's mappings
 *
 * The operations are queued in their order, all or none, and done when the
 * fences of @in_syncs have signalled and the calls before on the same queue are
 * done. Jobs that are submitted later wait for calls without @in_syncs, unless
 * the queue still had one with them. For all others, use @out_syncs.
 */
struct drm_rgt_vm_bind {
	/** @vm_id: the VM's number */
	__u32 vm_id;
	/** @queue_id: bind queue of the VM; 0 is the default queue */
	__u32 queue_id;
	/** @flags: must be 0 */
	__u32 flags;
	/** @pad: must be 0 */
	__u32 pad;
	/** @ops: of &struct drm_rgt_vm_bind_op, at least one */
	struct drm_rgt_array ops;
	/** @in_syncs: of &struct drm_rgt_sync, waited for before */
	struct drm_rgt_array in_syncs;
	/** @out_syncs: of &struct drm_rgt_sync, signalled when all is done */
	struct drm_rgt_array out_syncs;
	/** @extensions: must be 0 */
	__u64 extensions;
};

/**
 * struct drm_rgt_cs_ib - an indirect buffer
 */
struct drm_rgt_cs_ib {
	/** @addr: GPU virtual address of the first packet, 4-byte aligned */
	__u64 addr;
	/** @dwords: length in dwords, at least 1 */
	__u32 dwords;
	/** @flags: must be 0 */
	__u32 flags;
};

/* The job writes the BO. Without it, the job reads it. */
#define DRM_RGT_CS_BO_WRITE		(1 << 0)
/* Neither wait for the BO's other users nor have them wait. */
#define DRM_RGT_CS_BO_NO_IMPLICIT	(1 << 1)

/**
 * struct drm_rgt_cs_bo - a BO of a job's list, for implicit synchronisation
 */
struct drm_rgt_cs_bo {
	/** @handle: the BO's handle */
	__u32 handle;
	/** @flags: mask of DRM_RGT_CS_BO_* */
	__u32 flags;
};

/**
 * struct drm_rgt_cs - submit a job
 *
 * All that is bound in the VM is resident when the job runs, whether the list
 * names it or not. A job that faults is skipped to its end; its fence carries
 * EFAULT. That of a job that hangs carries ECANCELED. Either makes its
 * context guilty, except the default context.
 *
 * A context has at most 1000 jobs for an engine, queued or running: the call
 * fails with EAGAIN then. Wait for one of them before the next attempt. So it
 * does when memory of a process that is bound changes again and again. Jobs are
 * charged to the memory cgroup of the caller.
 */
struct drm_rgt_cs {
	/** @vm_id: VM that the indirect buffers run in */
	__u32 vm_id;
	/** @ctx_id: context of the job; 0 is the default context */
	__u32 ctx_id;
	/** @engine: as in &struct drm_rgt_engine */
	__u32 engine;
	/** @flags: must be 0 */
	__u32 flags;
	/** @ibs: of &struct drm_rgt_cs_ib; a job without any has a fence only */
	struct drm_rgt_array ibs;
	/** @bos: of &struct drm_rgt_cs_bo */
	struct drm_rgt_array bos;
	/** @in_syncs: of &struct drm_rgt_sync, waited for before */
	struct drm_rgt_array in_syncs;
	/** @out_syncs: of &struct drm_rgt_sync, signalled at its end */
	struct drm_rgt_array out_syncs;
	/** @extensions: must be 0 */
	__u64 extensions;
};

#define DRM_IOCTL_RGT_QUERY \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_RGT_QUERY, struct drm_rgt_query)
#define DRM_IOCTL_RGT_GEM_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_RGT_GEM_CREATE, struct drm_rgt_gem_create)
#define DRM_IOCTL_RGT_GEM_MMAP_OFFSET \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_RGT_GEM_MMAP_OFFSET, struct drm_rgt_gem_mmap_offset)
#define DRM_IOCTL_RGT_GEM_INFO \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_RGT_GEM_INFO, struct drm_rgt_gem_info)
#define DRM_IOCTL_RGT_GEM_WAIT \
	DRM_IOW(DRM_COMMAND_BASE + DRM_RGT_GEM_WAIT, struct drm_rgt_gem_wait)
#define DRM_IOCTL_RGT_GEM_MADVISE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_RGT_GEM_MADVISE, struct drm_rgt_gem_madvise)
#define DRM_IOCTL_RGT_CTX_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_RGT_CTX_CREATE, struct drm_rgt_ctx_create)
#define DRM_IOCTL_RGT_CTX_DESTROY \
	DRM_IOW(DRM_COMMAND_BASE + DRM_RGT_CTX_DESTROY, struct drm_rgt_ctx_destroy)
#define DRM_IOCTL_RGT_CTX_SET_PROPERTY \
	DRM_IOW(DRM_COMMAND_BASE + DRM_RGT_CTX_SET_PROPERTY, struct drm_rgt_ctx_set_property)
#define DRM_IOCTL_RGT_VM_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_RGT_VM_CREATE, struct drm_rgt_vm_create)
#define DRM_IOCTL_RGT_VM_DESTROY \
	DRM_IOW(DRM_COMMAND_BASE + DRM_RGT_VM_DESTROY, struct drm_rgt_vm_destroy)
#define DRM_IOCTL_RGT_BIND_QUEUE_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_RGT_BIND_QUEUE_CREATE, struct drm_rgt_bind_queue_create)
#define DRM_IOCTL_RGT_BIND_QUEUE_DESTROY \
	DRM_IOW(DRM_COMMAND_BASE + DRM_RGT_BIND_QUEUE_DESTROY, struct drm_rgt_bind_queue_destroy)
#define DRM_IOCTL_RGT_VM_BIND \
	DRM_IOW(DRM_COMMAND_BASE + DRM_RGT_VM_BIND, struct drm_rgt_vm_bind)
#define DRM_IOCTL_RGT_CS \
	DRM_IOW(DRM_COMMAND_BASE + DRM_RGT_CS, struct drm_rgt_cs)

#if defined(__cplusplus)
}
#endif

#endif /* _UAPI_RUST_GPU_TTM_DRM_H_ */
