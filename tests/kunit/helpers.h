/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _RGT_TEST_HELPERS_H_
#define _RGT_TEST_HELPERS_H_

struct device;
struct drm_device;
struct drm_file;
struct kunit;

/* References to this module; -1 if it is built in, or cannot be unloaded. */
int rgt_test_module_refcount(void);

/*
 * Has warnings of this task not reach the log. The second function ends that,
 * and returns how many there were.
 */
void *rgt_test_expect_warning(struct kunit *test);
int rgt_test_end_warning(struct kunit *test, void *handle);

/* Ends all waits of this kernel thread that signals end, until the second one. */
void rgt_test_signal_self(void);
void rgt_test_end_signals(void);

/*
 * Opens the primary node of a device, or returns an error pointer. The second
 * function closes it.
 */
struct drm_file *rgt_test_open(struct drm_device *dev);
void rgt_test_close(struct drm_file *file);

/*
 * Maps anonymous memory into a process that this kernel thread gets, and that
 * ends with it. 0, or no multiple of the page size, if there is none.
 */
unsigned long rgt_test_mmap(struct kunit *test, unsigned long size, bool write);

/* Makes the lock of a device that is not registered. */
void rgt_test_init_device_lock(struct device *dev);

/* A device that is active has runtime PM until the second function. */
void rgt_test_enable_runtime_pm(struct device *dev);
void rgt_test_disable_runtime_pm(struct device *dev);
int rgt_test_runtime_suspend(struct device *dev);
bool rgt_test_is_runtime_suspended(struct device *dev);

#endif
