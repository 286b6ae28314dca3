// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

namespace cnio::cnioctl {

// What is known of a thousand pods takes some megabytes, which the kernel gives page by page as they are touched: a
// sixth of the time that a verb takes. From here on the calling thread's memory grows in steps of megabytes, and the
// kernel is asked for large pages (transparent huge pages, Documentation/admin-guide/mm/transhuge.rst). Where it has
// none, all is as before.
void ask_for_large_pages();

}  // namespace cnio::cnioctl
