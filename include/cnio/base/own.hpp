// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <sys/stat.h>

namespace cnio {

// Who the program was started as; plugins do not change it. No system call.
uid_t own_user();

// Why a file or folder is not believed, since somebody else than this user or root may have made what is in it:
// "belongs to user 1000", "others can write to it (mode 0666)". Empty if there is no such reason.
std::string why_not_own(const struct stat& info);
inline bool is_own(const struct stat& info) { return why_not_own(info).empty(); }

}  // namespace cnio
