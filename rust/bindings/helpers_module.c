// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/module.h>

#include "helpers.h"

bool rgt_try_module_get(struct module *module)
{
	return try_module_get(module);
}

void rgt_module_put(struct module *module)
{
	module_put(module);
}

/* Keeps the module for ever, for what leaks with its code in use. */
void rgt_module_pin(void)
{
	__module_get(THIS_MODULE);
}
