// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnio/base/own.hpp"

#include <sys/auxv.h>

namespace cnio {
namespace {

constexpr mode_t kWrittenByOthers = 0022;

std::string mode_text(mode_t mode) {
  std::string out = "0";
  for (const unsigned shift : {6U, 3U, 0U}) out += static_cast<char>('0' + ((mode >> shift) & 7U));
  return out;
}

}  // namespace

uid_t own_user() { return static_cast<uid_t>(getauxval(AT_EUID)); }

std::string why_not_own(const struct stat& info) {
  if (info.st_uid != own_user() && info.st_uid != 0) return "belongs to user " + std::to_string(info.st_uid);
  if ((info.st_mode & kWrittenByOthers) == 0) return {};
  return "others can write to it (mode " + mode_text(info.st_mode) + ")";
}

}  // namespace cnio
