// SPDX-License-Identifier: MIT
/*
 * A job in C, with raw calls: fills a BO in VRAM, copies it to system pages,
 * which the CPU reads.
 *
 * Built with the headers that "make headers_install" installs, and drm.h. In
 * this folder:
 *
 *	make -C ../.. headers_install
 *	cc -I../../usr/include -I/usr/include/drm -o submit *.c
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <linux/types.h>
#include <drm/rust_gpu_ttm_drm.h>
#include <drm/rust_gpu_ttm_packet.h>

/* In bytes. */
#define SIZE 0x100000
#define PATTERN 0x600df00d

#define ARRAY_SIZE(entries) (sizeof(entries) / sizeof((entries)[0]))

#define ARRAY(entries) {					\
	.stride = sizeof((entries)[0]),				\
	.count = sizeof(entries) / sizeof((entries)[0]),	\
	.address = (uintptr_t)(entries),			\
}

static int fd;

static void call(unsigned long request, void *arg, const char *name)
{
	if (ioctl(fd, request, arg)) {
		perror(name);
		exit(1);
	}
}

static __u32 create(__u32 placement)
{
	struct drm_rgt_gem_create create = {
		.size = SIZE,
		.placement = placement,
	};

	call(DRM_IOCTL_RGT_GEM_CREATE, &create, "GEM_CREATE");
	return create.handle;
}

static __u32 *map(__u32 handle)
{
	struct drm_rgt_gem_mmap_offset offset = { .handle = handle };
	__u32 *map;

	call(DRM_IOCTL_RGT_GEM_MMAP_OFFSET, &offset, "GEM_MMAP_OFFSET");
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset.offset);
	if (map == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return map;
}

/* Returns the number of the first copy engine. */
static __u32 copy_engine(void)
{
	char data[4096];
	struct drm_rgt_query query = {
		.query = DRM_RGT_QUERY_ENGINES,
		.size = sizeof(data),
		.data = (uintptr_t)data,
	};
	const struct drm_rgt_query_list *list = (const void *)data;

	call(DRM_IOCTL_RGT_QUERY, &query, "QUERY_ENGINES");
	for (__u32 i = 0; i < list->count; i++) {
		const struct drm_rgt_engine *engine =
			(const void *)(data + sizeof(*list) + i * list->stride);

		if (engine->engine_class == DRM_RGT_ENGINE_CLASS_COPY)
			return engine->engine;
	}
	fprintf(stderr, "no copy engine\n");
	exit(1);
}

int main(int argc, char **argv)
{
	struct drm_rgt_query_device info = { 0 };
	struct drm_rgt_query query = {
		.query = DRM_RGT_QUERY_DEVICE,
		.size = sizeof(info),
		.data = (uintptr_t)&info,
	};
	struct drm_rgt_vm_create vm = { 0 };
	__u32 source, target, commands;
	__u64 from, to, ib;
	struct timespec now;

	fd = open(argc > 1 ? argv[1] : "/dev/dri/renderD128", O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		perror("open");
		return 1;
	}
	call(DRM_IOCTL_RGT_QUERY, &query, "QUERY");
	call(DRM_IOCTL_RGT_VM_CREATE, &vm, "VM_CREATE");
	source = create(DRM_RGT_PLACEMENT_VRAM);
	target = create(DRM_RGT_PLACEMENT_GTT);
	commands = create(DRM_RGT_PLACEMENT_GTT);

	/* Addresses of our choice: three ranges, one after the other. */
	from = info.va_start;
	to = from + SIZE;
	ib = to + SIZE;
	struct drm_rgt_vm_bind_op ops[] = {
		{ .handle = source, .addr = from, .size = SIZE },
		{ .handle = target, .addr = to, .size = SIZE },
		{ .handle = commands, .addr = ib, .size = SIZE,
		  .flags = DRM_RGT_VM_BIND_READONLY },
	};
	struct drm_rgt_vm_bind bind = {
		.vm_id = vm.vm_id,
		.ops = ARRAY(ops),
	};
	call(DRM_IOCTL_RGT_VM_BIND, &bind, "VM_BIND");

	/* Headers, then 64-bit operands, low dword first. */
	__u32 packets[] = {
		drm_rgt_packet_header(DRM_RGT_PACKET_FILL, 0, DRM_RGT_PACKET_LEN_FILL),
		from, from >> 32, SIZE, 0, PATTERN,
		drm_rgt_packet_header(DRM_RGT_PACKET_COPY, 0, DRM_RGT_PACKET_LEN_COPY),
		from, from >> 32, to, to >> 32, SIZE, 0,
	};
	__u32 *words = map(commands);

	for (unsigned int i = 0; i < ARRAY_SIZE(packets); i++)
		words[i] = packets[i];

	struct drm_rgt_cs_ib ibs[] = {
		{ .addr = ib, .dwords = ARRAY_SIZE(packets) },
	};
	struct drm_rgt_cs_bo bos[] = {
		{ .handle = source, .flags = DRM_RGT_CS_BO_WRITE },
		{ .handle = target, .flags = DRM_RGT_CS_BO_WRITE },
		{ .handle = commands },
	};
	struct drm_rgt_cs cs = {
		.vm_id = vm.vm_id,
		.engine = copy_engine(),
		.ibs = ARRAY(ibs),
		.bos = ARRAY(bos),
	};
	call(DRM_IOCTL_RGT_CS, &cs, "CS");

	clock_gettime(CLOCK_MONOTONIC, &now);
	struct drm_rgt_gem_wait wait = {
		.handle = target,
		.timeout_ns = (now.tv_sec + 10) * 1000000000LL + now.tv_nsec,
	};
	call(DRM_IOCTL_RGT_GEM_WAIT, &wait, "GEM_WAIT");

	printf("%#x\n", map(target)[SIZE / 4 - 1]);
	return map(target)[SIZE / 4 - 1] != PATTERN;
}
