// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/notifier.h>
#include <linux/suspend.h>

#include "helpers.h"

int rgt_register_pm_notifier(struct notifier_block *nb)
{
	return register_pm_notifier(nb);
}

void rgt_unregister_pm_notifier(struct notifier_block *nb)
{
	unregister_pm_notifier(nb);
}

int rgt_notifier_from_errno(int err)
{
	return notifier_from_errno(err);
}
