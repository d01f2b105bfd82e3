/* SPDX-License-Identifier: MIT */
/*
 * What bindgen reads: the driver's header, and its ioctl numbers as constants,
 * because bindgen does not evaluate macros that contain sizeof.
 */
#include <fcntl.h>
#include <linux/sync_file.h>

#include "drm.h"
#include "rust_gpu_ttm_drm.h"

#define NUMBER(name) static const unsigned int RGT_IOCTL_##name = DRM_IOCTL_RGT_##name

NUMBER(QUERY);
NUMBER(GEM_CREATE);
NUMBER(GEM_MMAP_OFFSET);
NUMBER(GEM_INFO);
NUMBER(GEM_WAIT);
NUMBER(GEM_MADVISE);
NUMBER(CTX_CREATE);
NUMBER(CTX_DESTROY);
NUMBER(CTX_SET_PROPERTY);
NUMBER(VM_CREATE);
NUMBER(VM_DESTROY);
NUMBER(BIND_QUEUE_CREATE);
NUMBER(BIND_QUEUE_DESTROY);
NUMBER(VM_BIND);
NUMBER(CS);

static const unsigned int RGT_IOCTL_GEM_CLOSE = DRM_IOCTL_GEM_CLOSE;
static const unsigned int RGT_IOCTL_PRIME_HANDLE_TO_FD = DRM_IOCTL_PRIME_HANDLE_TO_FD;
static const unsigned int RGT_IOCTL_PRIME_FD_TO_HANDLE = DRM_IOCTL_PRIME_FD_TO_HANDLE;
static const unsigned int RGT_IOCTL_SYNCOBJ_FD_TO_HANDLE = DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE;
static const unsigned int RGT_IOCTL_SYNC_FILE_INFO = SYNC_IOC_FILE_INFO;

static const unsigned int RGT_SYNCOBJ_IMPORT_SYNC_FILE =
	DRM_SYNCOBJ_FD_TO_HANDLE_FLAGS_IMPORT_SYNC_FILE;

/* As the header defines them by O_CLOEXEC and O_RDWR. */
static const unsigned int RGT_PRIME_CLOEXEC = DRM_CLOEXEC;
static const unsigned int RGT_PRIME_RDWR = DRM_RDWR;
